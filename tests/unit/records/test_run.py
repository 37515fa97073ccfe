"""Writing a run: it is whole, or it says what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from golden.make_run import NAME, Recipe, make_run, manifest_of, write_trial

from testbedctl.analysis.results import results_of
from testbedctl.errors import RunFailed
from testbedctl.records.manifest import Holder
from testbedctl.records.reader import RunReader
from testbedctl.records.run import RunWriter

ONE = Recipe(arms=("none",), trials=1)


def test_a_new_run_is_partial_and_running_and_names_its_holder(tmp_path: Path) -> None:
    run = RunWriter.create(tmp_path, manifest_of(ONE))
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert run.path.name == NAME + ".partial"
    assert (manifest["schema"], manifest["status"]) == ("testbedctl.run/1", "running")
    assert manifest["holder"]["pid"] == os.getpid()
    assert run.reader().status == "running"


def test_a_run_names_itself_by_time_profile_and_id(tmp_path: Path) -> None:
    manifest = manifest_of(ONE).model_copy(update={"run": None, "created": None})
    first, second = (RunWriter.create(tmp_path, manifest) for _ in range(2))
    assert first.path != second.path
    assert "Z-synthetic-" in first.path.name
    assert first.manifest.created


def test_a_complete_run_has_its_final_name_and_its_results(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [NAME]
    assert RunReader(path).status == "complete"
    assert (path / "results.parquet").is_file()
    assert not list(path.rglob("*.tmp"))


def test_a_run_with_a_missing_trial_does_not_become_complete(tmp_path: Path) -> None:
    recipe = Recipe(trials=1)
    run = RunWriter.create(tmp_path, manifest_of(recipe))
    write_trial(run.trial(1, "none"), recipe)
    with pytest.raises(RunFailed, match="reactive 1"):
        run.complete(results_of(run.reader()))
    assert run.path.name.endswith(".partial")


def test_an_interruption_leaves_an_aborted_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunWriter.create(tmp_path, manifest_of(ONE)) as run:
        raise KeyboardInterrupt
    reader = RunReader(run.path)
    assert (reader.status, reader.cause) == ("aborted", "interrupted")
    assert run.path.name.endswith(".partial")


def test_an_error_leaves_a_failed_run_with_its_cause(tmp_path: Path) -> None:
    with pytest.raises(RunFailed), RunWriter.create(tmp_path, manifest_of(ONE)) as run:
        raise RunFailed("Prometheus ended in the middle of trial 1")
    reader = RunReader(run.path)
    assert (reader.status, reader.cause) == ("failed", "Prometheus ended in the middle of trial 1")


def test_a_run_that_nobody_completed_failed(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path, manifest_of(ONE)) as run:
        pass
    assert RunReader(run.path).status == "failed"


def test_a_killed_run_reads_aborted(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from golden.make_run import *\n"
        "RunWriter.create(Path(sys.argv[1]), manifest_of(Recipe()))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = os.pathsep.join(sys.path)
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env={**os.environ, "PYTHONPATH": path}
    )
    assert ended.returncode == -9
    reader = RunReader(tmp_path / f"{NAME}.partial")
    assert reader.manifest.status == "running"
    assert (reader.status, reader.cause) == ("aborted", "the process that wrote it is gone")


def test_another_process_with_the_holders_pid_is_not_the_holder(tmp_path: Path) -> None:
    run = RunWriter.create(tmp_path, manifest_of(ONE))
    manifest = run.manifest.model_copy(update={"holder": Holder(pid=os.getpid(), start_ticks=1)})
    (run.path / "manifest.json").write_text(manifest.model_dump_json(by_alias=True))
    assert RunReader(run.path).status == "aborted"


def test_a_repeated_trial_keeps_its_number_and_the_invalid_one_is_left_out(tmp_path: Path) -> None:
    run = RunWriter.create(tmp_path, manifest_of(ONE))
    invalid = run.trial(1, "none")
    noise = {"idle_ratio_min": None, "steal_ratio_max": None, "busy_other_cores_max": None}
    invalid.write_trial(
        {"status": "invalid", "started": "2026-01-01T00:00:00Z", "duration_s": 1.0, "noise": noise}
    )
    repeated = run.trial(2, "none")
    assert (invalid.planned.trial, repeated.planned.trial) == (1, 1)
    write_trial(repeated, ONE)
    path = run.complete(results_of(run.reader()))
    assert [trial.record.n for trial in RunReader(path).trials] == [2]
    assert [trial.record.n for trial in RunReader(path).invalid_trials] == [1]


def test_a_complete_trial_needs_all_its_tables(tmp_path: Path) -> None:
    trial = RunWriter.create(tmp_path, manifest_of(ONE)).trial(1, "none")
    noise = {"idle_ratio_min": None, "steal_ratio_max": None, "busy_other_cores_max": None}
    with pytest.raises(RunFailed, match="flows, steps, vnfs, hops, telemetry"):
        trial.write_trial({"status": "complete", "started": "", "duration_s": 1.0, "noise": noise})


def test_an_arm_with_options_makes_one_plain_directory(tmp_path: Path) -> None:
    run = RunWriter.create(tmp_path, manifest_of(ONE))
    trial = run.trial(1, "reactive:threshold=0.5,../../x")
    assert trial.path.parent == run.path / "trials"
    assert trial.path.name == "1-reactive_threshold_0.5_.._.._x"


def test_a_decision_that_does_not_follow_the_format_is_refused(tmp_path: Path) -> None:
    trial = RunWriter.create(tmp_path, manifest_of(ONE)).trial(1, "none")
    decision = {"at_s": 1.0, "step": 1, "action": "share", "vnf": "a/b", "reason": "r"}
    trial.append_decision(decision)
    for wrong in ({"action": "guess"}, {"observed": float("nan")}, {"colour": "red"}):
        with pytest.raises(RunFailed):
            trial.append_decision({**decision, **wrong})
    assert len((trial.path / "decisions.jsonl").read_text().splitlines()) == 1


def test_a_warning_is_kept(tmp_path: Path) -> None:
    run = RunWriter.create(tmp_path, manifest_of(ONE))
    run.warn("the host was busy")
    assert run.reader().manifest.warnings[-1] == "the host was busy"


class TestFullDisk:
    """``/dev/full`` answers every write with ENOSPC, as a full disk does."""

    def test_a_table(self, tmp_path: Path) -> None:
        trial = RunWriter.create(tmp_path, manifest_of(ONE)).trial(1, "none")
        (trial.path / "hops.parquet.tmp").symlink_to("/dev/full")
        with pytest.raises(RunFailed, match=r"hops\.parquet: No space left") as caught:
            trial.write_table("hops", [{"step": 1, "service": "s", "hop": "tunnel", "packets": 0}])
        assert "write to another disk" in str(caught.value.hint)
        assert not list(trial.path.glob("hops.parquet*"))

    def test_a_decision(self, tmp_path: Path) -> None:
        trial = RunWriter.create(tmp_path, manifest_of(ONE)).trial(1, "none")
        (trial.path / "decisions.jsonl").unlink()
        (trial.path / "decisions.jsonl").symlink_to("/dev/full")
        with pytest.raises(RunFailed, match="No space left"):
            trial.append_decision({"at_s": 1, "step": 1, "action": "hold", "vnf": "a/b", "reason": "r"})

    def test_the_run_stays_readable_and_the_first_error_is_told(self, tmp_path: Path) -> None:
        with (
            pytest.raises(RunFailed, match="disk is full"),
            RunWriter.create(tmp_path, manifest_of(ONE)) as run,
        ):
            (run.path / "manifest.json.tmp").symlink_to("/dev/full")
            raise RunFailed("the disk is full")
        assert RunReader(run.path).manifest.status == "running"
