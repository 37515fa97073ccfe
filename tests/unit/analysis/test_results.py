"""The tidy results, recomputed here from the tables by other means."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from golden.make_run import Recipe, make_run, manifest_of, write_trial

from testbedctl.analysis.results import results_of
from testbedctl.errors import Inconclusive, InvalidFile, RunFailed
from testbedctl.records.reader import RunReader, TrialReader
from testbedctl.records.run import RunWriter
from testbedctl.records.tables import read_table, write_table


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that is not complete, so that its results come from its trials."""
    recipe = Recipe(trials=1)
    writer = RunWriter.create(tmp_path, manifest_of(recipe))
    write_trial(writer.trial(1, "none"), recipe)
    write_trial(writer.trial(2, "reactive"), recipe)
    writer.abort("for the test")
    return writer.path


def _values(run: Path, **wanted: Any) -> list[float]:
    rows = results_of(RunReader(run)).to_pylist()
    return [row["value"] for row in rows if all(row[key] == value for key, value in wanted.items())]


def _one(run: Path, arm: str, step: int, quantity: str, vnf: str | None = None) -> float:
    (value,) = _values(run, arm=arm, step=step, quantity=quantity, vnf=vnf)
    return value


def _trial(run: Path, n: int) -> TrialReader:
    return RunReader(run).trials[n - 1]


def _flows(run: Path, n: int, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    rows = _trial(run, n).table("flows").to_pylist()
    return [row for row in rows if row["service"] == "service1" and wanted(row)]


def _edit(path: Path, change: Any) -> None:
    """Rewrite a table with ``change`` applied to its rows."""
    rows = read_table(path, path.stem).to_pylist()
    write_table(path, path.stem, change(rows))


def test_throughput_and_loss_are_of_the_stressed_service(run: Path) -> None:
    row = next(
        r for r in _trial(run, 1).table("steps").to_pylist() if (r["step"], r["service"]) == (4, "service1")
    )
    flows = _flows(run, 1, lambda r: r["step"] == 4)
    lost, sent = (sum(r[key] for r in flows) for key in ("lost_packets", "sent_packets"))
    assert _one(run, "none", 4, "sent_bps") == row["sent_bps"]
    assert _one(run, "none", 4, "loss_ratio") == pytest.approx(lost / sent)
    delivered_bps = row["sent_bps"] * (1 - lost / sent)
    assert _one(run, "none", 4, "delivered_bps") == pytest.approx(delivered_bps)
    assert _one(run, "none", 4, "delivered_ratio") == pytest.approx(delivered_bps / 600e6)


@pytest.mark.parametrize("traffic", ["udp", "tcp", "pcap"])
def test_what_two_clocks_count_apart_makes_no_loss_below_zero(tmp_path: Path, traffic: Any) -> None:
    """In the first second of a step the receiver counts what was sent in the step before."""
    path = make_run(tmp_path, Recipe(traffic=traffic, arms=("none",), trials=1))
    rows = RunReader(path).trials[0].table("steps").to_pylist()
    assert min(r["loss_ratio"] for r in rows) < 0
    values = {(r["quantity"], r["step"]): r["value"] for r in results_of(RunReader(path)).to_pylist()}
    for step in (1, 2, 3, 4):
        assert 0 <= values["loss_ratio", step] < 1
        assert 0 <= values["others_loss_ratio", step] < 1
        assert values["delivered_bps", step] <= values["sent_bps", step]
        assert values["delivered_ratio", step] <= 1


@pytest.mark.parametrize("traffic", ["udp", "tcp", "pcap"])
def test_the_steps_losses_add_up_to_the_trials(tmp_path: Path, traffic: Any) -> None:
    path = make_run(tmp_path, Recipe(traffic=traffic, arms=("none",), trials=1))
    values = {(r["quantity"], r["step"]): r["value"] for r in results_of(RunReader(path)).to_pylist()}
    flows = [r for r in RunReader(path).trials[0].table("flows").to_pylist() if r["service"] == "service1"]
    missing = sum(r["sent_bytes"] - r["delivered_bytes"] for r in flows)
    by_step = sum(4 / 8 * (values["sent_bps", n] - values["delivered_bps", n]) for n in (1, 2, 3, 4))
    assert by_step == pytest.approx(missing)
    assert missing > 0


def test_settled_counts_the_whole_seconds_after_the_last_move(run: Path) -> None:
    """The share is applied at 9.6 s, so of the step from 8 to 12 s the seconds 10 and 11 count."""
    seconds = _flows(run, 2, lambda r: r["second"] in (10, 11))
    expected = 8 * 1400 * sum(r["sent_packets"] - r["lost_packets"] for r in seconds) / 2 / 300e6
    assert _one(run, "reactive", 3, "settled_delivered_ratio") == pytest.approx(expected)
    assert expected > _one(run, "reactive", 3, "delivered_ratio") + 0.01
    assert _one(run, "none", 3, "settled_delivered_ratio") == _one(run, "none", 3, "delivered_ratio")


def test_settled_is_not_measured_when_a_second_is_missing_or_none_is_left(run: Path) -> None:
    trial = _trial(run, 2)
    wanted = {"arm": "reactive", "step": 3, "quantity": "settled_delivered_ratio"}
    _edit(trial.path / "flows.parquet", lambda rows: [r for r in rows if r["second"] != 11])
    assert _values(run, **wanted) == []
    file = trial.path / "decisions.jsonl"
    file.write_text(file.read_text().replace('"at_s": 9.0', '"at_s": 10.9'))
    assert _values(run, **wanted) == []


def test_cpu_is_the_mean_over_the_steps_scrapes(run: Path) -> None:
    samples = [
        r["cpu_ratio"]
        for r in _trial(run, 1).table("vnfs").to_pylist()
        if (r["step"], r["vnf"]) == (3, "service1/vdpi")
    ]
    assert _one(run, "none", 3, "vnf_cpu_ratio", "service1/vdpi") == pytest.approx(statistics.fmean(samples))


def test_a_scrape_without_a_value_is_not_a_zero(run: Path) -> None:
    path = _trial(run, 1).path / "vnfs.parquet"
    before = _one(run, "none", 3, "vnf_cpu_ratio", "service1/vdpi")
    _edit(path, lambda rows: [{**r, "cpu_ratio": None if r["at_s"] == 8.0 else r["cpu_ratio"]} for r in rows])
    assert _one(run, "none", 3, "vnf_cpu_ratio", "service1/vdpi") == pytest.approx(before, rel=0.02)
    _edit(path, lambda rows: [{**r, "cpu_ratio": None if r["step"] == 3 else r["cpu_ratio"]} for r in rows])
    assert _values(run, arm="none", step=3, quantity="vnf_cpu_ratio") == []
    assert len(_values(run, arm="none", step=2, quantity="vnf_cpu_ratio")) == 4


def test_hops_are_summed_over_the_trial(run: Path) -> None:
    steps = [_one(run, "none", step, "lost_vdpi_throttled") for step in (1, 2, 3, 4)]
    assert _one(run, "none", 0, "lost_vdpi_throttled") == sum(steps) > 0


def test_a_count_over_the_whole_trial_goes_before_the_sum(run: Path) -> None:
    whole = {"step": 0, "service": "service1", "hop": "tunnel", "packets": 42}
    _edit(_trial(run, 1).path / "hops.parquet", lambda rows: [*rows, whole])
    assert _one(run, "none", 0, "lost_tunnel") == 42


def test_the_loss_of_the_other_services_is_seen(run: Path) -> None:
    def halve(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        others = [r for r in rows if r["service"] != "service1"]
        rest = [r for r in rows if r["service"] == "service1"]
        return rest + [{**r, "lost_packets": r["sent_packets"] // 2} for r in others]

    assert _one(run, "none", 1, "others_loss_ratio") == 0
    _edit(_trial(run, 1).path / "flows.parquet", halve)
    assert _one(run, "none", 1, "others_loss_ratio") == pytest.approx(0.5, rel=0.01)


def test_a_step_without_flows_is_an_error_and_not_a_zero(run: Path) -> None:
    _edit(_trial(run, 1).path / "flows.parquet", lambda rows: [r for r in rows if r["step"] != 3])
    with pytest.raises(Inconclusive, match="holds nothing of service1 in step 3"):
        results_of(RunReader(run))


@pytest.mark.parametrize("table", ["flows", "steps", "vnfs", "hops"])
def test_a_missing_table_is_an_error_that_names_it(run: Path, table: str) -> None:
    (_trial(run, 1).path / f"{table}.parquet").unlink()
    with pytest.raises(InvalidFile, match=rf"1-none/{table}\.parquet is missing"):
        results_of(RunReader(run))


def test_a_step_in_which_nothing_was_sent_is_an_error_and_not_a_zero(run: Path) -> None:
    path = _trial(run, 1).path / "steps.parquet"
    _edit(path, lambda rows: [{**r, "sent_bps": 0.0 if r["step"] == 2 else r["sent_bps"]} for r in rows])
    with pytest.raises(Inconclusive, match="nothing was sent in step 2"):
        results_of(RunReader(run))


def test_a_trial_without_the_stressed_service_is_an_error(run: Path) -> None:
    path = _trial(run, 1).path / "steps.parquet"
    _edit(path, lambda rows: [r for r in rows if r["service"] != "service1"])
    with pytest.raises(Inconclusive, match="holds nothing of service1"):
        results_of(RunReader(run))


def test_a_run_without_a_complete_trial_is_inconclusive(tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path, manifest_of(Recipe()))
    writer.abort("at once")
    with pytest.raises(Inconclusive, match="no complete trial"):
        results_of(RunReader(writer.path))


def test_a_complete_runs_results_are_those_of_its_trials(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    recorded = results_of(RunReader(path))
    manifest = path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"status": "complete"', '"status": "aborted"'))
    assert results_of(RunReader(path)).equals(recorded)


def test_a_damaged_results_table_is_named(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    (path / "results.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidFile, match=r"results\.parquet"):
        results_of(RunReader(path))


def test_empty_results_are_not_written(tmp_path: Path) -> None:
    recipe = Recipe(arms=("none",), trials=1)
    writer = RunWriter.create(tmp_path, manifest_of(recipe))
    write_trial(writer.trial(1, "none"), recipe)
    with pytest.raises(RunFailed, match="empty"):
        writer.complete(pa.Table.from_pylist([], schema=results_of(writer.reader()).schema))
    assert writer.reader().status == "running"
