"""The forecast commands in this process: as the program runs them, without the seconds of its start."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import typer

from testbedctl.cli import output
from testbedctl.cli.forecast import evaluate, export, search
from testbedctl.errors import TestbedError


@dataclass(frozen=True)
class Asked:
    """What a command has answered."""

    returncode: int
    stdout: str
    stderr: str


class Program:
    """``forecast(…)`` gives the exit code and both outputs, on eighty columns."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
        self._capsys = capsys
        monkeypatch.setattr(output, "_json_asked", False)
        monkeypatch.setenv("COLUMNS", "80")
        group = typer.Typer()
        for module in (evaluate, export, search):
            module.register(group)
        self._command = typer.main.get_command(group)

    def __call__(self, *words: str) -> Asked:
        """Run ``testbedctl forecast`` with these words."""
        output._json_asked = False
        self._capsys.readouterr()
        code = 0
        try:
            self._command(list(words), standalone_mode=False)
        except TestbedError as error:
            output.show_error(error)
            code = error.exit_code
        written = self._capsys.readouterr()
        return Asked(code, written.out, written.err)
