"""Finding and removing runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden.make_run import Recipe, make_run, manifest_of

from testbedctl.errors import Busy, Inconclusive, InvalidFile, UsageError
from testbedctl.records.catalogue import find_run, list_runs, remove_run, runs_dir
from testbedctl.records.reader import RunReader
from testbedctl.records.run import RunWriter

OLD, MIDDLE, NEW = (f"{year}0101T000000Z-synthetic-00000{year - 2020}" for year in (2024, 2025, 2026))


def _one(name: str) -> Recipe:
    return Recipe(arms=("none",), trials=1, name=name)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in (OLD, MIDDLE):
        make_run(tmp_path, _one(name))
    RunWriter.create(tmp_path, manifest_of(_one(NEW))).abort("interrupted")
    return tmp_path


def test_the_newest_complete_run_is_taken_and_newer_ones_are_named(runs: Path) -> None:
    found = find_run(None, runs)
    assert found.run.name == MIDDLE
    assert found.passed_over == [f"{NEW} (aborted)"]


def test_a_newer_damaged_run_is_named_too(runs: Path) -> None:
    (runs / f"{NEW}.partial" / "manifest.json").write_text("{")
    assert find_run(None, runs).passed_over == [f"{NEW}.partial (damaged)"]
    assert [path.name for path, _ in list_runs(runs).damaged] == [f"{NEW}.partial"]


def test_a_run_is_found_by_directory_name_and_prefix(runs: Path) -> None:
    for reference in (runs / OLD, OLD, OLD[:6]):
        assert find_run(reference, runs).run.name == OLD
    for reference in (NEW, f"{NEW}.partial", NEW[:8]):
        assert find_run(reference, runs).run.status == "aborted"


@pytest.mark.parametrize("reference", ["20", "nosuch", "", "../x"])
def test_what_fits_no_run_or_several_is_refused(runs: Path, reference: str) -> None:
    with pytest.raises(UsageError):
        find_run(reference, runs)


def test_no_complete_run_is_not_enough_data(tmp_path: Path) -> None:
    with pytest.raises(Inconclusive, match="no complete run"):
        find_run(None, tmp_path)


def test_the_environment_says_where_runs_are(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    monkeypatch.delenv("TESTBEDCTL_RUNS", raising=False)
    assert runs_dir() == Path("runs")
    monkeypatch.setenv("TESTBEDCTL_RUNS", str(runs))
    assert len(list_runs().runs) == 3


def test_a_run_is_removed_and_nothing_else(runs: Path) -> None:
    remove_run(find_run(OLD, runs).run)
    assert sorted(path.name for path in runs.iterdir()) == [MIDDLE, f"{NEW}.partial"]


def test_a_running_run_a_link_and_a_damaged_run_are_not_removed(runs: Path, tmp_path: Path) -> None:
    running = RunWriter.create(tmp_path / "other", manifest_of(_one(OLD)))
    with pytest.raises(Busy, match="process"):
        remove_run(running.reader())
    (runs / "link").symlink_to(runs / OLD)
    with pytest.raises(UsageError, match="link"):
        remove_run(RunReader(runs / "link"))
    (runs / OLD / "manifest.json").write_text("{")
    with pytest.raises(InvalidFile):
        find_run(OLD, runs)
    assert (runs / OLD / "results.parquet").exists()
