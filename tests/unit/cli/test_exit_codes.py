"""Each documented exit code, as the program ends with it (docs/reference/exit-codes.md)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from golden.make_run import NAME, Recipe, make_run
from unit.cli.program import ARGV, environment, on_terminal, piped

from testbedctl.cli import main as program
from testbedctl.cli import output
from testbedctl.errors import Busy, CleanupIncomplete, Foreign, HostUnfit, Interrupted, TestbedError


def call(words: list[str], home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    places = {"TESTBEDCTL_STATE": str(home / "state"), "TESTBEDCTL_RUNS": str(home / "runs")}
    return piped(*words, cwd=home, **{**places, **more})


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of the entry point in this process, where a test can put an obstacle in its way."""
    monkeypatch.setattr(sys, "argv", ["testbedctl", *words])
    monkeypatch.setattr(output, "_json_asked", False)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as stopped:
            program.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    return int(stopped.value.code or 0)


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["validate", "slice-sharing"], ["runs", "list"]]
)
def test_0_done(words: list[str], tmp_path: Path) -> None:
    assert call(words, tmp_path).returncode == 0


def test_1_worse(tmp_path: Path) -> None:
    path = make_run(tmp_path / "runs", Recipe(arms=("reactive", "none")))
    for file in path.glob("trials/*/trial.json"):  # swap the arms: balancing now looks harmful
        text = file.read_text()
        new = text.replace('"none"', '"x"').replace('"reactive"', '"none"').replace('"x"', '"reactive"')
        file.write_text(new)
    manifest = path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"status": "complete"', '"status": "failed"'))
    done = call(["report", NAME, "--fail-on", "worse"], tmp_path)
    assert done.returncode == 1
    assert "worse: " in done.stderr and "reactive against none" in done.stdout


@pytest.mark.parametrize(
    "words",
    [["reprot"], ["up", "--lba", "x"], ["status"], ["validate", "nothing"], ["runs", "show", "none"], []],
)
def test_2_usage(words: list[str], tmp_path: Path) -> None:
    assert call(words, tmp_path).returncode == 2


def test_3_inconclusive(tmp_path: Path) -> None:
    assert call(["report"], tmp_path).returncode == 3
    make_run(tmp_path / "runs", Recipe(trials=1))
    assert call(["report"], tmp_path).returncode == 0
    assert call(["report", "--fail-on", "worse"], tmp_path).returncode == 3


def test_4_doctor_on_a_machine_without_anything(tmp_path: Path) -> None:
    code = (
        "import shutil, sys; shutil.which = lambda *_, **__: None; sys.argv = ['testbedctl', 'doctor']; "
        "from testbedctl.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "not fit for a lab" in done.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [(HostUnfit, 4), (Busy, 4), (Foreign, 4), (TestbedError, 5), (CleanupIncomplete, 6), (Interrupted, 130)],
)
def test_what_a_command_raises_becomes_its_code(
    error: type[TestbedError], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error("what it was [red]", hint="what to do")

    monkeypatch.setattr("testbedctl.records.catalogue.list_runs", fail)
    assert ended(monkeypatch, "runs", "list") == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "error: what it was [red]\nhint: what to do\n")


def test_5_what_cannot_be_written(tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    assert call(["report", "--output", "no/such/place"], tmp_path).returncode == 5


def test_5_a_fault_of_ours_is_told_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("testbedctl.records.catalogue.list_runs", lambda: 1 / 0)
    assert ended(monkeypatch, "runs", "list") == 5
    told = capsys.readouterr().err
    assert "Traceback" in told and "this is a fault in testbedctl" in told


def test_5_a_pipe_to_somebody_else_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise BrokenPipeError(32, "a socket of the controller's")

    monkeypatch.setattr("testbedctl.records.catalogue.list_runs", fail)
    monkeypatch.setattr(program, "_reader_gone", lambda: False)
    assert ended(monkeypatch, "runs", "list") == 5


def test_130_ctrl_c(tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    code, told = on_terminal(
        [*ARGV, "runs", "rm", NAME],
        press=lambda written: b"\x03" if "for good?" in written else b"",
        TESTBEDCTL_RUNS=str(tmp_path / "runs"),
    )
    assert code == 130
    assert "interrupted" in told and "Traceback" not in told
    assert (tmp_path / "runs" / NAME).is_dir()


def test_130_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "testbedctl.records.catalogue.list_runs", lambda: os.kill(os.getpid(), signal.SIGTERM)
    )
    assert ended(monkeypatch, "runs", "list") == 130


@pytest.mark.parametrize("words", [["report"], ["report", "--json"], ["--help"], ["schema", "testbed"]])
def test_141_nobody_reads(words: list[str], tmp_path: Path) -> None:
    make_run(tmp_path / "runs")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*ARGV, *words], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        env=environment(TESTBEDCTL_RUNS=str(tmp_path / "runs")),
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_error_keeps_its_code_though_nobody_reads_it() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*ARGV, "reprot", "--json"], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False,
        env=environment(),
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 2
