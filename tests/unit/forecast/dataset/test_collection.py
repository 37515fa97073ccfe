"""Telemetry of runs: one series per trial and VNF, one row a second, what was not measured is a gap."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from golden.make_run import NAME, Recipe, make_run, manifest_of, write_trial
from unit.forecast.dataset.traces import counts, places

from testbedctl.errors import Inconclusive, InvalidFile, UsageError
from testbedctl.forecast.dataset.collection import collect_runs
from testbedctl.forecast.dataset.store import open_dataset
from testbedctl.records.reader import RunReader
from testbedctl.records.run import RunWriter

OTHER = "20260102T000000Z-synthetic-000002"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs", Recipe(trials=1))


def rewritten(file: Path, change: dict[str, dict[int, float | None]]) -> None:
    """Values of a table changed by column and row."""
    table = pq.read_table(file, partitioning=None)
    for name, cells in change.items():
        column = table.column(name).to_pylist()
        for row, value in cells.items():
            column[row] = value
        at = table.column_names.index(name)
        table = table.set_column(
            at, table.schema.field(name), pa.array(column, table.schema.field(name).type)
        )
    pq.write_table(table, file)


def test_each_trial_and_vnf_is_a_series_of_what_was_measured(run: Path, tmp_path: Path) -> None:
    manifest = collect_runs([RunReader(run)], tmp_path / "set")
    found = open_dataset(tmp_path / "set")
    assert (found.units, found.step_s, manifest.format, manifest.source) == (
        "allotment",
        1.0,
        "telemetry",
        NAME,
    )
    vnfs = [f"{service}/{function}" for service in ("service1", "service2") for function in ("van", "vdpi")]
    trials = ("1-none", "2-reactive")
    assert [series.vm for series in found.series] == [f"{NAME}/{t}/{vnf}" for t in trials for vnf in vnfs]
    table = pq.read_table(run / "trials" / "2-reactive" / "vnfs.parquet", partitioning=None).to_pylist()
    series = found.series[vnfs.index("service1/vdpi") + len(vnfs)]
    own = [row for row in table if row["vnf"] == "service1/vdpi"]
    columns = ("cpu_ratio", "ram_ratio", "storage_ratio", "network_ratio")
    expected = np.array([[row[name] for name in columns] for row in own], np.float32)
    np.testing.assert_array_equal(series.values, expected)
    began_s = 1767225600.0  # 2026-01-01, the start that trial.json names
    assert series.unix_s.tolist() == [began_s + row["at_s"] for row in own]
    assert counts(manifest) == {}


def test_a_second_that_was_not_measured_is_counted_and_a_gap(run: Path, tmp_path: Path) -> None:
    file = run / "trials" / "1-none" / "vnfs.parquet"
    rewritten(file, {"storage_ratio": {20: None}})
    vnf = pq.read_table(file, partitioning=None).column("vnf")[20].as_py()
    manifest = collect_runs([RunReader(run)], tmp_path / "set")
    assert counts(manifest) == {"not-measured": 1}
    assert places(manifest, "not-measured") == [("vnfs.parquet", 21, 1)]
    assert manifest.vms[f"{NAME}/1-none/{vnf}"].gaps == 1
    assert {vm: record.gaps for vm, record in manifest.vms.items() if record.gaps} == {
        f"{NAME}/1-none/{vnf}": 1
    }
    assert (manifest.rows, manifest.rows_read) == (127, 128)


def test_a_vnf_that_was_never_measured_has_no_series(run: Path, tmp_path: Path) -> None:
    file = run / "trials" / "1-none" / "vnfs.parquet"
    vnfs = pq.read_table(file, partitioning=None).column("vnf").to_pylist()
    own = [row for row, vnf in enumerate(vnfs) if vnf == "service2/van"]
    rewritten(file, {"cpu_ratio": dict.fromkeys(own)})
    manifest = collect_runs([RunReader(run)], tmp_path / "set")
    assert f"{NAME}/1-none/service2/van" not in manifest.vms
    assert counts(manifest) == {"not-measured": len(own)}


def test_a_scrape_out_of_step_is_left_out(run: Path, tmp_path: Path) -> None:
    file = run / "trials" / "1-none" / "vnfs.parquet"
    at_s = pq.read_table(file, partitioning=None).column("at_s").to_pylist()
    rewritten(file, {"at_s": {20: at_s[20] - 0.7}})
    manifest = collect_runs([RunReader(run)], tmp_path / "set")
    assert counts(manifest) == {"off-grid": 1}
    assert places(manifest, "off-grid") == [("vnfs.parquet", 21, 1)]


def test_several_runs_become_one_data_set(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "runs", Recipe(trials=1, name=OTHER))
    manifest = collect_runs([RunReader(run), RunReader(other)], tmp_path / "both", name="both of them")
    assert (manifest.name, manifest.source) == ("both of them", f"{NAME}, {OTHER}")
    assert len(manifest.vms) == 16
    with pytest.raises(UsageError, match="named twice"):
        collect_runs([RunReader(run), RunReader(run)], tmp_path / "twice")


def test_a_run_that_broke_off_gives_its_complete_trials(tmp_path: Path) -> None:
    recipe = Recipe(trials=1)
    with pytest.raises(KeyboardInterrupt), RunWriter.create(tmp_path, manifest_of(recipe)) as run:
        write_trial(run.trial(1, "none"), recipe)
        raise KeyboardInterrupt
    manifest = collect_runs([RunReader(tmp_path / f"{NAME}.partial")], tmp_path / "set")
    assert {vm.split("/")[1] for vm in manifest.vms} == {"1-none"}


def test_a_run_without_a_complete_trial_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunWriter.create(tmp_path, manifest_of(Recipe())):
        raise KeyboardInterrupt
    with pytest.raises(Inconclusive, match="no complete trial"):
        collect_runs([RunReader(tmp_path / f"{NAME}.partial")], tmp_path / "set")


def test_a_damaged_table_is_refused(run: Path, tmp_path: Path) -> None:
    file = run / "trials" / "1-none" / "vnfs.parquet"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InvalidFile, match="damaged or truncated"):
        collect_runs([RunReader(run)], tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_the_manifest_names_no_place_of_this_machine(run: Path, tmp_path: Path) -> None:
    collect_runs([RunReader(run)], tmp_path / "set")
    assert str(tmp_path) not in json.dumps(json.loads((tmp_path / "set" / "manifest.json").read_text()))


def test_the_small_data_set_of_the_tests_can_be_opened() -> None:
    found = open_dataset(Path(__file__).resolve().parents[3] / "data" / "telemetry-small")
    assert found.units == "allotment"
    assert found.step_s == pytest.approx(1.0, abs=0.05)
    assert sum(len(series.values) for series in found.series) >= 200
    assert max(series.values[:, 0].max() for series in found.series) > 0.1
