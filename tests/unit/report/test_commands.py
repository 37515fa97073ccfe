"""``report`` and ``runs`` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from golden.make_run import NAME, Recipe, make_run, manifest_of, write_trial
from typer.testing import CliRunner, Result

from testbedctl.cli import report, runs
from testbedctl.errors import Busy, Inconclusive, UsageError
from testbedctl.records.run import RunWriter

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(autouse=True)
def runs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TESTBEDCTL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("testbedctl.cli.output._json_asked", False)
    return tmp_path / "runs"


def _call(*arguments: str, answer: str | None = None) -> Result:
    app = typer.Typer()
    report.register(app)
    runs.register(app)
    return CliRunner().invoke(app, list(arguments), input=answer)


def test_the_newest_complete_run_is_reported_as_expected(runs_dir: Path) -> None:
    make_run(runs_dir)
    called = _call("report")
    assert called.exit_code == 0
    assert called.stdout == (GOLDEN / "report.txt").read_text()
    assert called.stderr == ""


def test_a_narrow_terminal_cuts_no_digits(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(runs_dir)
    monkeypatch.setenv("COLUMNS", "40")
    narrow = _call("report").stdout
    for line in (GOLDEN / "report.txt").read_text().splitlines():
        if line.lstrip().startswith(("75 ", "300 ", "600 ")):
            assert line in narrow


def test_a_newer_incomplete_run_is_named_on_stderr(runs_dir: Path) -> None:
    make_run(runs_dir)
    newer = Recipe(name=NAME.replace("2026", "2027"))
    RunWriter.create(runs_dir, manifest_of(newer)).abort("interrupted")
    called = _call("report", "--format", "csv")
    assert called.stdout == (GOLDEN / "report.csv").read_text()
    assert newer.name in called.stderr


@pytest.mark.parametrize("asked", [["--json"], ["--format", "json"]])
def test_json_is_one_document(runs_dir: Path, asked: list[str]) -> None:
    make_run(runs_dir)
    called = _call("report", *asked)
    assert called.stdout == (GOLDEN / "report.json").read_text()
    assert json.loads(called.stdout)["run"] == NAME


def test_markdown_draws_its_figures_into_the_run_and_links_to_them(runs_dir: Path) -> None:
    path = make_run(runs_dir)
    called = _call("report", "--format", "md")
    assert called.exit_code == 0
    assert len(list((path / "figures").iterdir())) == 10
    for name in ("figure-14a", "figure-15b", "throughput"):
        assert f"(<figures/{name}.png>)" in called.stdout


def test_a_report_in_a_file_links_to_its_figures_from_there(runs_dir: Path, tmp_path: Path) -> None:
    make_run(runs_dir)
    target = tmp_path / "paper" / "report.md"
    target.parent.mkdir()
    called = _call("report", "--format", "md", "--output", str(target), "--figures", str(tmp_path / "img"))
    assert (called.exit_code, called.stdout) == (0, "")
    assert "(<../img/throughput.png>)" in target.read_text()
    assert (tmp_path / "img" / "throughput.png").stat().st_size > 10_000


def test_every_format_can_go_into_a_file(runs_dir: Path, tmp_path: Path) -> None:
    make_run(runs_dir)
    for kind, suffix in (("terminal", "txt"), ("csv", "csv"), ("json", "json")):
        _call("report", "--format", kind, "--output", str(tmp_path / suffix))
        assert (tmp_path / suffix).read_text() == (GOLDEN / f"report.{suffix}").read_text()


def test_an_output_that_cannot_be_written_is_an_error(runs_dir: Path, tmp_path: Path) -> None:
    make_run(runs_dir)
    called = _call("report", "--output", str(tmp_path / "nowhere" / "report.txt"))
    assert "nowhere" in str(called.exception)


class TestFailOn:
    """The gate: 0 not worse, 1 worse, 3 cannot be decided; the report is printed each time."""

    def test_better_passes(self, runs_dir: Path) -> None:
        make_run(runs_dir)
        assert _call("report", "--fail-on", "worse").exit_code == 0

    def test_worse_fails(self, runs_dir: Path) -> None:
        path = make_run(runs_dir)
        for file in path.glob("trials/*/trial.json"):
            record = json.loads(file.read_text())
            record["arm"] = {"none": "reactive", "reactive": "none"}[record["arm"]]
            file.write_text(json.dumps(record))
        manifest = path / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"status": "complete"', '"status": "failed"'))
        called = _call("report", NAME, "--fail-on", "worse", "--json")
        assert called.exit_code == 1
        assert json.loads(called.stdout)["comparison"][0]["verdict"] == "worse"
        assert "worse: reactive, step 4 (600 Mb/s)" in called.stderr

    def test_single_trials_are_inconclusive(self, runs_dir: Path) -> None:
        make_run(runs_dir, Recipe(trials=1))
        called = _call("report", "--fail-on", "worse")
        assert called.exit_code == 3
        assert called.stdout.startswith("reactive against none")
        assert "inconclusive" in called.stderr

    def test_one_arm_is_inconclusive(self, runs_dir: Path) -> None:
        make_run(runs_dir, Recipe(arms=("none",)))
        assert _call("report", "--fail-on", "worse").exit_code == 3

    def test_an_aborted_run_is_inconclusive_even_if_its_trials_agree(self, runs_dir: Path) -> None:
        recipe = Recipe(trials=3)
        run = RunWriter.create(runs_dir, manifest_of(recipe))
        for n, arm in enumerate(["none", "reactive"] * 2, 1):
            write_trial(run.trial(n, arm), recipe)
        run.abort("interrupted")
        called = _call("report", run.path.name, "--fail-on", "worse")
        assert called.exit_code == 3
        assert "the run is aborted" in called.stderr

    def test_no_run_is_inconclusive(self) -> None:
        assert isinstance(_call("report", "--fail-on", "worse").exception, Inconclusive)


class TestRuns:
    def test_list_and_show(self, runs_dir: Path) -> None:
        assert "no runs in" in _call("runs", "list").stderr
        make_run(runs_dir)
        damaged = runs_dir / "damaged"
        damaged.mkdir()
        (damaged / "manifest.json").write_text("{")
        called = _call("runs", "list")
        assert NAME in called.stdout
        assert "6 of 6" in called.stdout
        assert "damaged" in called.stderr
        listed = json.loads(_call("runs", "list", "--json").stdout)
        assert [run["status"] for run in listed["runs"]] == ["complete"]
        assert len(listed["damaged"]) == 1
        assert "seed 7" in _call("runs", "show").stdout
        assert json.loads(_call("runs", "show", NAME, "--json").stdout)["manifest"]["seed"] == 7

    def test_rm_asks_and_takes_a_yes(self, runs_dir: Path) -> None:
        path = make_run(runs_dir)
        assert isinstance(_call("runs", "rm", NAME).exception, UsageError)
        assert path.exists()
        called = _call("runs", "rm", NAME, "--yes", "--json")
        assert json.loads(called.stdout) == {"removed": str(path)}
        assert not path.exists()

    def test_rm_refuses_a_running_run_and_what_is_no_run(self, runs_dir: Path, tmp_path: Path) -> None:
        run = RunWriter.create(runs_dir, manifest_of(Recipe()))
        assert isinstance(_call("runs", "rm", run.path.name, "--yes").exception, Busy)
        plain = tmp_path / "plain"
        plain.mkdir()
        assert isinstance(_call("runs", "rm", str(plain), "--yes").exception, UsageError)
        assert run.path.exists()
        assert plain.exists()
