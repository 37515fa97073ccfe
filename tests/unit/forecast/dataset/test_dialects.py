"""One trace, written in every dialect, is one data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from unit.forecast.dataset.traces import (
    BEGIN_S,
    HEADER_12,
    Row,
    counts,
    gwa_12,
    gwa_13_quoted,
    gwa_13_semicolons,
    imported,
    rows,
    write,
)

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.dataset.store import open_dataset
from testbedctl.ports import RESOURCES

WANTED = rows(40)
DIALECTS: dict[str, tuple[str, str]] = {
    "gwa-t-12, seconds": (gwa_12(WANTED), "gwa-t-12"),
    "gwa-t-12, milliseconds": (gwa_12(WANTED, scale=1000), "gwa-t-12"),
    "gwa-t-13, decimal commas": (gwa_13_semicolons(WANTED), "gwa-t-13"),
    "gwa-t-13, decimal points": (gwa_13_semicolons(WANTED, decimal="."), "gwa-t-13"),
    "gwa-t-13, quoted": (gwa_13_quoted(WANTED), "gwa-t-13"),
}
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "BOM": lambda text: "\ufeff" + text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "no last newline": lambda text: text.rstrip("\n"),
    "empty lines at the end": lambda text: text + "\n\n",
    "all of it": lambda text: ("\ufeff" + text).replace("\n", "\r\n").rstrip("\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_gives_the_same_numbers(dialect: str, form: str, tmp_path: Path) -> None:
    text, name = DIALECTS[dialect]
    file = write(tmp_path / "vm.csv", FORMS[form](text))
    manifest = imported(file, tmp_path / "set")
    assert (manifest.format, manifest.rows, manifest.step_s, manifest.gaps) == (name, 40, 300.0, 0)
    assert counts(manifest) == {}
    (series,) = open_dataset(tmp_path / "set").series
    assert series.vm == "vm"
    assert series.unix_s.tolist() == [row.at_s for row in WANTED]
    expected = [(v[2], v[5], v[7], v[8] + v[9]) for v in (row.values() for row in WANTED)]
    assert RESOURCES == ("cpu", "ram", "storage", "network")
    np.testing.assert_array_equal(series.values, np.array(expected, np.float32))


def test_every_column_of_the_source_is_kept_under_its_name(tmp_path: Path) -> None:
    imported(write(tmp_path / "vm.csv", gwa_13_quoted(WANTED)), tmp_path / "set")
    table = pq.read_table(tmp_path / "set" / "samples.parquet")
    first = {name: table.column(name)[0].as_py() for name in table.column_names}
    assert first == {
        "vm": "vm", "unix_s": float(BEGIN_S), "cpu_cores": 2, "cpu_capacity_mhz": 5200.5,
        "cpu_usage_mhz": 100.25, "cpu_usage_percent": 2.5, "memory_capacity_kb": 4194304,
        "memory_usage_kb": 1000000, "memory_usage_percent": 25.05, "disk_read_kbps": 0,
        "disk_write_kbps": 14.75, "disk_size_gb": 54,
        "network_receive_kbps": 12.5, "network_transmit_kbps": 45,
    }  # fmt: skip


def test_what_gwa_t_12_does_not_have_is_null_and_not_zero(tmp_path: Path) -> None:
    imported(write(tmp_path / "vm.csv", gwa_12(WANTED)), tmp_path / "set")
    table = pq.read_table(tmp_path / "set" / "samples.parquet")
    assert table.column("disk_size_gb").null_count == table.column("memory_usage_percent").null_count == 40


def test_a_stamp_without_a_zone_is_utc_and_the_manifest_says_so(tmp_path: Path) -> None:
    row = Row(0, fields={0: "05.11.2015 00:00:01"})
    later = Row(0, fields={0: "05.11.2015 00:05:00"})
    manifest = imported(write(tmp_path / "vm.csv", gwa_13_quoted([row, later])), tmp_path / "set")
    assert manifest.span == (1446681601.0, 1446681900.0)
    assert "taken as UTC" in manifest.clock


def test_columns_are_found_by_their_meaning_in_any_order(tmp_path: Path) -> None:
    lines = [line.split(";\t") for line in gwa_12(WANTED).splitlines()]
    turned = "\n".join(";".join(reversed(fields)) for fields in lines)
    turned = turned.replace("Memory usage [KB]", "memory  usage (KB)").replace("CPU cores", "CPU core")
    manifest = imported(write(tmp_path / "vm.csv", turned), tmp_path / "set")
    assert manifest.rows == 40
    assert open_dataset(tmp_path / "set").series[0].values[0].tolist() == [100.25, 1e6, 14.75, 57.5]


def test_a_column_that_nobody_knows_is_named(tmp_path: Path) -> None:
    lines = gwa_12(WANTED).splitlines()
    text = "\n".join([lines[0] + ";\tMood", *(line + ";\tgood" for line in lines[1:])])
    manifest = imported(write(tmp_path / "vm.csv", text), tmp_path / "set")
    assert manifest.rows == 40
    assert manifest.warnings == ["columns that are not known and were left out: Mood"]


def test_a_vm_that_idles_at_first_keeps_its_decimal_commas(tmp_path: Path) -> None:
    """Whole numbers do not tell the decimal sign: here they fill more than the head that is looked at."""
    idle = [Row(n, fields=dict.fromkeys(range(1, 13), "0")) for n in range(1000)]
    text = gwa_13_semicolons([*idle, *rows(40, first=1000)])
    manifest = imported(write(tmp_path / "vm.csv", text), tmp_path / "set")
    assert (manifest.rows, counts(manifest)) == (1040, {})
    assert open_dataset(tmp_path / "set").series[0].values[1000, 0] == np.float32(1100.25)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (gwa_12(WANTED).replace(";\t", "\t"), "known are columns separated by semicolons or commas"),
        (gwa_12(WANTED).replace(";\t", "|"), "Timestamp [ms]|CPU cores"),
        ("a;b;c\n1;2;3\n", "timestamp, cpu usage mhz, memory usage kb"),
        (gwa_12(WANTED).replace("CPU usage [MHZ]", "CPU usage [GHZ]"), "cpu usage mhz not found"),
        (gwa_12(WANTED).replace("CPU cores", "CPU usage [MHZ]"), "two columns mean cpu_usage_mhz"),
        (gwa_12(WANTED).split("\n", 1)[1], "no known header"),
        ("", "no known header"),
        ("\x00\x01\x02" * 9000, "no known header"),
        (HEADER_12 + "\nsoon" + ";\t1" * 10 + "\n", "'soon'"),
    ],
)
def test_an_unknown_dialect_says_what_was_found_and_what_is_known(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidFile) as told:
        imported(write(tmp_path / "vm.csv", text), tmp_path / "set")
    (place,) = told.value.places
    assert place.file.endswith("vm.csv")
    assert said in place.message
    assert not (tmp_path / "set").exists()


def test_all_files_of_an_unknown_dialect_are_named_at_once(tmp_path: Path) -> None:
    write(tmp_path / "in" / "good.csv", gwa_12(WANTED))
    for name in ("a", "b"):
        write(tmp_path / "in" / f"{name}.csv", "x;y\n1;2\n")
    with pytest.raises(InvalidFile, match="2 of 3 files") as told:
        imported(tmp_path / "in", tmp_path / "set")
    assert [Path(place.file).name for place in told.value.places] == ["a.csv", "b.csv"]


def test_a_header_without_rows_is_named_beside_other_vms(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.csv", gwa_12(WANTED))
    write(tmp_path / "in" / "2.csv", HEADER_12)
    manifest = imported(tmp_path / "in", tmp_path / "set")
    assert list(manifest.vms) == ["1"]
    assert [w for w in manifest.warnings if w.startswith("no row at all") and w.endswith("2.csv")]


def test_a_header_alone_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no VM has two rows"):
        imported(write(tmp_path / "vm.csv", HEADER_12 + "\n"), tmp_path / "set")
