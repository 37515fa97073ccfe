"""What a new user sees: help, errors, colours and widths."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from golden.make_run import make_run
from unit.cli.program import ARGV, environment, on_terminal, piped

ESCAPE = "\x1b["
PANELS = ["Options", "The testbed", "Measuring", "Specifications", "This machine", "Forecasts and classes"]
COMMANDS = ["up", "down", "status", "exec", "logs", "capture", "forward", "stress", "demo", "report", "runs",
            "validate", "graph", "init", "schema", "doctor", "support-bundle", "dataset", "forecast",
            "classify"]  # fmt: skip


def test_help_groups_commands_in_the_order_of_work() -> None:
    text = piped("--help").stdout
    assert re.findall(r"^╭─ ([\w ]+?) ─", text, re.MULTILINE) == PANELS
    assert [name for name in re.findall(r"^│ ([a-z-]+) ", text, re.MULTILINE) if name in COMMANDS] == COMMANDS


@pytest.mark.parametrize("words", [[], ["stress"], ["report"], ["exec"], ["runs", "rm"], ["validate"]])
def test_help_fits_and_shows_flags_without_a_value(words: list[str]) -> None:
    text = piped(*words, "--help", COLUMNS="80").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "Usage: testbedctl" in text and "python -m" not in text
    assert "<bool>" not in text and "[[" not in text


def test_every_command_answers_short_help() -> None:
    for name in COMMANDS:
        assert piped(name, "-h").returncode == 0, name


@pytest.mark.parametrize(
    ("words", "told"),
    [(["reprot"], "'report'"), (["runs", "lst"], "'list'"), (["up", "--lba", "x"], "--lab"),
     (["validate", "slice-sharin"], "'slice-sharing'"), (["stress", "quik"], "'quick'"),
     (["stress", "quick", "--arm", "reactiv"], "'reactive'")],
    ids=lambda words: " ".join(words) if isinstance(words, list) else words,
)  # fmt: skip
def test_a_slip_is_answered_with_the_nearest_right_word(words: list[str], told: str) -> None:
    done = piped(*words)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ") and second.startswith("hint: ")
    assert told in done.stderr


def test_a_pipe_gets_no_colours_and_a_terminal_does(tmp_path: Path) -> None:
    make_run(tmp_path)
    runs = {"TESTBEDCTL_RUNS": str(tmp_path)}
    assert ESCAPE not in piped("reprot").stderr + piped("report", **runs).stdout + piped("--help").stdout
    assert ESCAPE in on_terminal([*ARGV, "reprot"])[1]
    colours = re.compile(r"\x1b\[[\d;]*3\dm")  # bold and dim may stay
    for words in (["reprot"], ["report"], ["--help"]):
        assert not colours.search(on_terminal([*ARGV, *words], NO_COLOR="1", **runs)[1]), words


def test_a_narrow_terminal_is_not_overrun(tmp_path: Path) -> None:
    make_run(tmp_path)
    code, told = on_terminal([*ARGV, "report"], columns=80, TESTBEDCTL_RUNS=str(tmp_path))
    assert code == 0
    plain = re.sub(r"\x1b\[[\d;]*m", "", told)
    assert max(map(len, plain.splitlines())) <= 80


def test_validate_takes_names_of_shipped_files_and_prefers_files(tmp_path: Path) -> None:
    done = piped("validate", "slice-sharing", "exponential", cwd=tmp_path)
    assert done.returncode == 0
    assert [line.split("  ")[-1] for line in done.stdout.splitlines()] == [
        "testbed slice-sharing", "stress profile exponential",
    ]  # fmt: skip
    (tmp_path / "quick").write_text("nonsense: 1\n")
    assert piped("validate", "quick", cwd=tmp_path).returncode == 2


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['testbedctl', '--help']\n"
        "from testbedctl.cli.main import main\n"
        "try: main()\n"
        "finally: print([m for m in ('numpy', 'pyarrow', 'pydantic', 'scipy', 'ruamel', 'requests') "
        "if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr.strip() == "[]"
