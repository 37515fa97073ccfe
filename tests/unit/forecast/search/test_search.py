"""Searches: what is tried, how they go on, and what they must not look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from unit.forecast.search.conftest import BASE, SPACE, write_waves

from testbedctl.errors import Inconclusive, InvalidFile, RunFailed, TestbedError, UsageError
from testbedctl.forecast.search import worker
from testbedctl.forecast.search.best import best_of, write_best
from testbedctl.forecast.search.engine import search
from testbedctl.forecast.search.space import Parameter, Space
from testbedctl.forecast.search.study import HOLDER, Progress, holder, progress_of, reclaim
from testbedctl.forecast.search.worker import Assignment
from testbedctl.forecast.training.config_file import load_config

Make = Callable[..., Assignment]
Told = list[tuple[int, str, dict[str, Any], float | None]]


def run(assignment: Assignment, engine: Any = "local", workers: int = 1) -> Progress:
    return search(assignment, engine, workers, lambda _: None)


def trials(assignment: Assignment) -> Told:
    return [(t.number, t.state.name, t.params, t.value) for t in assignment.study().trials]


def test_the_same_seed_tries_the_same_and_finds_the_same(assigned: Make) -> None:
    one, other = assigned("one"), assigned("other")
    run(one)
    run(other)
    assert trials(one) == trials(other)
    assert len(trials(one)) == 4
    different = assigned("different", seed=1)
    run(different)
    assert [each[2] for each in trials(different)] != [each[2] for each in trials(one)]


def test_a_search_goes_on_as_if_it_had_not_stopped(assigned: Make) -> None:
    whole = assigned("whole")
    run(whole)
    run(assigned("parts", trials=2))
    assert run(assigned("parts")).finished == 4
    assert trials(assigned("parts")) == trials(whole)


def test_a_search_that_is_done_does_nothing_more(assigned: Make) -> None:
    run(assigned(trials=2))
    before = trials(assigned())
    run(assigned(trials=2))
    assert trials(assigned()) == before


def test_the_test_part_decides_nothing(assigned: Make, tmp_path: Path) -> None:
    run(assigned("here"))
    changed = assigned("there", dataset=write_waves(tmp_path / "changed", later=0.2))
    assert changed.dataset_sha256 != assigned().dataset_sha256
    run(changed)
    assert trials(assigned("here")) == trials(changed)


def test_a_trial_that_was_cut_off_comes_first(assigned: Make) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.running and progress.running[0][1] == 2 and progress.finished == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(assigned(), "local", 1, interrupt)
    cut = [each for each in trials(assigned()) if each[1] == "FAIL"]
    assert len(cut) == 1
    assert progress_of(assigned().study()).failed == 0
    run(assigned())
    again = trials(assigned())[cut[0][0] + 1]
    assert again[2] == cut[0][2]
    assert again[1] in ("COMPLETE", "PRUNED")


def test_trials_of_a_process_that_is_gone_are_taken_back(assigned: Make) -> None:
    study = assigned().study()
    dead, alive, far = study.ask(), study.ask(), study.ask()
    for trial in (dead, alive, far):
        trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    dead.set_user_attr(HOLDER, {**holder(), "start_ticks": 1})
    alive.set_user_attr(HOLDER, holder())
    far.set_user_attr(HOLDER, {**holder(), "host": "elsewhere", "start_ticks": 1})
    assert reclaim(study) == 1
    states = [each.state.name for each in study.trials]
    assert states == ["FAIL", "RUNNING", "RUNNING", "WAITING"]
    assert study.ask().suggest_float("learning_rate", 1e-4, 1e-1, log=True) == dead.params["learning_rate"]


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"seed": 1}, "seed"),
        ({"vms": ("a",)}, "vms"),
        ({"space": SPACE.model_copy(update={"base": BASE.model_copy(update={"window": 7})})}, "space"),
    ],
)
def test_the_record_of_another_search_is_refused(
    assigned: Make, changes: dict[str, Any], differing: str
) -> None:
    run(assigned(trials=1))
    with pytest.raises(UsageError, match=f"differs in {differing}"):
        run(assigned(**changes))


def test_the_time_that_is_given_is_kept(assigned: Make) -> None:
    slow = BASE.model_copy(update={"epochs": 10_000, "patience": 1000})
    space = SPACE.model_copy(update={"base": slow})
    progress = run(assigned(space=space, trials=None, seconds=1.0))
    assert (progress.finished, progress.failed, progress.best) == (0, 0, None)
    with pytest.raises(Inconclusive, match="no trial has come to its end"):
        best_of(assigned(space=space).study(), space)


def test_a_trial_that_the_deadline_cuts_off_is_tried_again(
    assigned: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = assigned("whole", trials=1)
    run(whole)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "time", ticking())
        assert run(assigned(seconds=2.5)).finished == 0
    assert [each[1] for each in trials(assigned())] == ["FAIL", "WAITING"]
    assert run(assigned(trials=2)).finished == 2
    assert trials(assigned())[1][2:] == trials(whole)[0][2:]


def test_a_trial_that_does_worse_is_pruned_also_at_the_deadline(
    assigned: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "time", ticking())
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda _: True)
    assert run(assigned(seconds=1.5)).pruned == 1
    assert [each[1] for each in trials(assigned())] == ["PRUNED"]


def ticking() -> SimpleNamespace:
    """A clock that is a second later at each look: its first trial's epoch n ends at n + 1 s."""
    return SimpleNamespace(monotonic=count().__next__)


def test_trials_that_do_worse_are_pruned(assigned: Make) -> None:
    """Learning rates that learn, and ones that do not; 9 epochs give hyperband rungs at 1 and 3."""
    rates = Parameter(choices=(1e-9, 3e-2))
    base = BASE.model_copy(update={"epochs": 9})
    assignment = assigned(space=Space(base=base, parameters={"learning_rate": rates}), trials=14)
    progress = run(assignment)
    assert progress.pruned > 0
    study = assignment.study()
    assert best_of(study, assignment.space).config.learning_rate == 3e-2
    for each in study.trials:
        if each.state.name == "PRUNED":
            assert len(each.intermediate_values) < 9


def test_the_best_is_written_as_a_training_takes_it(assigned: Make, tmp_path: Path) -> None:
    assignment = assigned()
    progress = run(assignment)
    best = best_of(assignment.study(), assignment.space)
    write_best(best, "waves", tmp_path / "best.yaml")
    assert load_config(tmp_path / "best.yaml") == best.config
    assert progress.best == (best.number, best.validation_loss)
    values = [each[3] for each in trials(assignment) if each[1] == "COMPLETE"]
    assert best.validation_loss == min(value for value in values if value is not None)
    assert "on data set waves" in (tmp_path / "best.yaml").read_text()


def test_a_training_that_runs_away_is_a_failed_trial(assigned: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from testbedctl.forecast.training import trainer

    real, begun = trainer.train, []

    def train(*arguments: Any, **more: Any) -> Any:
        begun.append(1)
        if len(begun) == 2:
            raise RunFailed("the loss is nan in epoch 1")
        return real(*arguments, **more)

    monkeypatch.setattr(trainer, "train", train)
    progress = run(assigned(trials=2))
    assert (progress.finished, progress.failed) == (2, 1)


@pytest.mark.parametrize("kind", [RunFailed, UsageError, Inconclusive])
def test_trials_that_all_fail_end_the_search(
    assigned: Make, monkeypatch: pytest.MonkeyPatch, kind: type[TestbedError]
) -> None:
    from testbedctl.forecast.training import trainer

    def train(*_: Any, **__: Any) -> Any:
        raise kind("it cannot be done")

    monkeypatch.setattr(trainer, "train", train)
    with pytest.raises(kind, match="it cannot be done"):
        run(assigned())
    assert progress_of(assigned().study()).failed == 3
    assert [each[1] for each in trials(assigned())] == ["FAIL"] * 3  # none of them waits to be tried again


def test_a_record_that_is_none_is_refused(assigned: Make, tmp_path: Path) -> None:
    (tmp_path / "search.journal").write_text("not a journal\n" * 3)
    with pytest.raises(InvalidFile, match="is damaged, or not the record of a search"):
        run(assigned())


def test_workers_in_processes_share_the_record(assigned: Make) -> None:
    progress = run(assigned(trials=2), workers=2)
    assert 2 <= progress.finished <= 3
    pids = {each.user_attrs[HOLDER]["pid"] for each in assigned().study().trials}
    assert os.getpid() not in pids


def test_what_a_worker_says_is_passed_on(assigned: Make, waves: Path) -> None:
    assignment = assigned()
    (waves / "samples.parquet").write_bytes(b"damaged")
    with pytest.raises(RunFailed, match=r"a worker of the search failed: .*samples\.parquet"):
        run(assignment, workers=2)


@pytest.mark.skipif(not find_spec("ray"), reason="ray is not installed: pip install 'testbedctl[fleet]'")
def test_ray_runs_the_workers_on_the_loopback_alone(assigned: Make) -> None:
    seen: set[str] = set()
    progress = search(assigned(trials=1), "ray", 1, lambda _: seen.update(listening()))
    assert progress.finished == 1
    assert seen and all(is_loopback(address) for address in seen), seen
    assert not listening()


def listening() -> set[str]:
    """Addresses, in hexadecimal, on which Ray's processes and this one accept connections."""
    mine = os.environ.get("RAY_AUTH_TOKEN", "none").encode()
    sockets = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if process.name == str(os.getpid()) or mine in (process / "environ").read_bytes():
                sockets |= {str(each.readlink()) for each in (process / "fd").iterdir()}
    lines = [
        *Path("/proc/net/tcp").read_text().splitlines(),
        *Path("/proc/net/tcp6").read_text().splitlines(),
    ]
    fields = [line.split() for line in lines]
    return {each[1] for each in fields if each[3] == "0A" and f"socket:[{each[9]}]" in sockets}


def is_loopback(address: str) -> bool:
    """127.0.0.1, ::1, or 127.0.0.1 as IPv6 writes it; /proc has the bytes of each word in reverse."""
    host = address.partition(":")[0]
    return host.endswith("0100007F") or host == "0" * 24 + "01000000"


def test_optuna_says_nothing_by_itself(assigned: Make, capfd: pytest.CaptureFixture[str]) -> None:
    run(assigned(trials=1))
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
