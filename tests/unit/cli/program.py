"""Runs the program as a user does: in a pipe, or on a terminal that a test reads."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ARGV = [sys.executable, "-m", "testbedctl"]


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would steer the program or its colours."""
    steering = ("TESTBEDCTL_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "CI", "GITHUB_ACTIONS")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(steering)}
    return {**plain, "PYTHONPATH": str(ROOT), **more}


def piped(*words: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """The program with its output in pipes."""
    return subprocess.run(
        [*ARGV, *words], cwd=cwd, env=environment(**more), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def on_terminal(
    argv: list[str], *, press: Callable[[str], bytes] | None = None, columns: int = 80, **more: str
) -> tuple[int, str]:
    """A program on a terminal of its own: its exit code, and what it wrote.

    ``press`` sees what was written so far and returns the keys to press, or nothing yet. They are pressed
    again each second that nothing more is written, as a person would: Ctrl-C between a prompt and Python's
    reading of the answer is noticed only with the next key. A program that has not ended after a minute is
    killed.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.execvpe(argv[0], argv, environment(TERM="xterm-256color", COLUMNS=str(columns), **more))
        finally:
            os._exit(127)
    written, pressed, deadline = "", False, time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            silent = not select.select([terminal], [], [], 1)[0]
            if not silent:
                try:
                    data = os.read(terminal, 65536)
                except OSError:  # the other end is closed: the program has ended
                    break
                if not data:
                    break
                written += data.decode(errors="replace")
            if press and (silent or not pressed) and (keys := press(written)):
                os.write(terminal, keys)
                pressed = True
        else:
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written
    finally:
        os.close(terminal)
