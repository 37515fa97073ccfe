"""Tables: what is empty, damaged or not a number does not get in, and does not get out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from testbedctl.errors import InvalidFile, RunFailed
from testbedctl.records.tables import SCHEMAS, read_table, write_table

ROOT = Path(__file__).resolve().parents[3]

FLOW: dict[str, Any] = {
    "camera": "service1/1",
    "service": "service1",
    "second": 0,
    "step": 1,
    "sent_bytes": 1400,
    "sent_packets": 1,
    "delivered_bytes": 1400,
    "delivered_packets": 1,
    "lost_packets": 0,
    "jitter_s": 0.001,
}


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    rows = [FLOW, {**FLOW, "second": 1, "jitter_s": None}]
    write_table(tmp_path / "flows.parquet", "flows", rows)
    table = read_table(tmp_path / "flows.parquet", "flows")
    assert table.to_pylist() == rows
    assert table.schema.equals(SCHEMAS["flows"])


def test_an_arrow_table_is_taken_as_well(tmp_path: Path) -> None:
    write_table(tmp_path / "flows.parquet", "flows", pa.Table.from_pylist([FLOW], schema=SCHEMAS["flows"]))
    assert read_table(tmp_path / "flows.parquet", "flows").num_rows == 1


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "empty"),
        ([{**FLOW, "jitter_s": float("nan")}], "NaN"),
        ([{**FLOW, "jitter_s": float("inf")}], "NaN or infinity"),
        ([{**FLOW, "camera": None}], "hole"),
        ([{**FLOW, "colour": "red"}], "colour"),
        ([{key: value for key, value in FLOW.items() if key != "sent_bytes"}], "sent_bytes"),
        ([{**FLOW, "sent_bytes": "many"}], "column 'sent_bytes': holds string"),
        ([{**FLOW, "second": 0.5}], "column 'second': Float value 0.5"),
        ([{**FLOW, "service": 5}], "column 'service': holds int64"),
        ([{**FLOW, "sent_bytes": 2**63}], "column 'sent_bytes'"),
    ],
)
def test_wrong_rows_are_refused(tmp_path: Path, rows: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(RunFailed, match=r"flows\.parquet") as caught:
        write_table(tmp_path / "flows.parquet", "flows", rows)
    assert complaint in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_hop_and_an_unknown_table_are_refused(tmp_path: Path) -> None:
    row = {"step": 1, "service": "service1", "hop": "nowhere", "packets": 1}
    with pytest.raises(RunFailed, match="nowhere"):
        write_table(tmp_path / "hops.parquet", "hops", [row])
    with pytest.raises(RunFailed, match="no table 'x'"):
        write_table(tmp_path / "x.parquet", "x", [row])


def test_a_damaged_or_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "flows.parquet"
    with pytest.raises(InvalidFile, match=r"flows\.parquet is missing"):
        read_table(path, "flows")
    write_table(path, "flows", [FLOW])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidFile, match=r"flows\.parquet is damaged or truncated"):
        read_table(path, "flows")


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"step": [1]}),
        SCHEMAS["hops"].empty_table(),
        pa.table({"step": [1], "service": ["s"], "hop": [None], "packets": [1]}),
        pa.table({"step": [1], "service": ["s"], "hop": ["tunnel"], "packets": ["many"]}),
    ],
    ids=["columns", "empty", "hole", "type"],
)
def test_a_foreign_table_is_refused_on_reading(tmp_path: Path, table: pa.Table) -> None:
    pq.write_table(table, tmp_path / "hops.parquet")
    with pytest.raises(InvalidFile, match=r"hops\.parquet"):
        read_table(tmp_path / "hops.parquet", "hops")


def test_the_format_names_every_column_that_may_be_null_and_no_other() -> None:
    text = (ROOT / "docs" / "reference" / "run-format.md").read_text(encoding="utf-8")
    lines = text.partition("| file | may be null |")[2].partition("\n\n")[0].splitlines()
    named = {
        cells[1].strip(" `"): set(re.findall(r"`(\w+)`", cells[2]))
        for line in lines
        if (cells := line.split("|"))[1:]
    }
    for name, schema in SCHEMAS.items():
        assert named[f"{name}.parquet"] == {field.name for field in schema if field.nullable}, name


def test_hops_and_the_thresholds_of_noise_are_written_down_once() -> None:
    """Two lists of hops, or two thresholds, would differ one day."""
    defined = [
        (path.name, found[1])
        for path in sorted((ROOT / "testbedctl").rglob("*.py"))
        for found in re.finditer(r"^(HOPS|STEAL_\w+|\w*OTHERS?_\w*CORES)\b.* = ", path.read_text(), re.M)
    ]
    assert defined == [("ports.py", "HOPS"), ("trial.py", "STEAL_RATIO"), ("trial.py", "BUSY_OTHER_CORES")]
