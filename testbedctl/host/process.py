"""Processes: started inside a namespace and a control group, known by pid *and* start time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from testbedctl.errors import RunFailed

# Joins every control group named before "--", then becomes the program: the pid stays the same, and
# nothing of the program ever runs outside its quota. Arguments are passed as they are, never parsed.
_JOIN_AND_EXEC = (
    'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'
)


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    start_ticks: int

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        stat = _stat(self.pid)
        return stat is not None and stat[1] == self.start_ticks and stat[0] not in "ZX"


def identify(pid: int) -> ProcessId | None:
    """Pid and start time of a running process, or None if it is gone."""
    stat = _stat(pid)
    return ProcessId(pid, stat[1]) if stat else None


def argv_on_node(
    argv: Sequence[str], *, netns: str | None, cgroups: Sequence[Path] = (), die_with_parent: bool = False
) -> list[str]:
    """The argument vector that runs ``argv`` in a named network namespace and in control groups."""
    wrapped: list[str] = []
    if netns:
        wrapped += ["nsenter", f"--net=/run/netns/{netns}", "--"]
    if die_with_parent:
        wrapped += ["setpriv", "--pdeathsig", "KILL", "--"]
    if cgroups:
        wrapped += ["sh", "-c", _JOIN_AND_EXEC, "sh", *(str(c) for c in cgroups), "--"]
    return wrapped + list(argv)


def spawn(
    argv: Sequence[str],
    *,
    netns: str | None = None,
    cgroups: Sequence[Path] = (),
    env: Mapping[str, str] | None = None,
    stdout: Path | int | None = None,
    stderr: Path | int | None = None,
    stdin: int | None = subprocess.DEVNULL,
    die_with_parent: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program; a path as ``stdout`` or ``stderr`` is appended to.

    A daemon gets a session of its own; one that dies with its parent stays in the parent's.
    """
    command = argv_on_node(argv, netns=netns, cgroups=cgroups, die_with_parent=die_with_parent)
    with ExitStack() as files:
        streams = [files.enter_context(s.open("ab")) if isinstance(s, Path) else s for s in (stdout, stderr)]
        try:
            return subprocess.Popen(
                command,
                stdin=stdin,
                stdout=streams[0],
                stderr=streams[1],
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise RunFailed(f"program not found: {error.filename}", hint="run 'testbedctl doctor'") from error


def run(
    argv: Sequence[str], *, netns: str | None = None, stdin: str | None = None, timeout_s: float = 30
) -> str:
    """Run a short command to its end and return its standard output; failure carries its last words."""
    command = argv_on_node(argv, netns=netns, die_with_parent=True)
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except FileNotFoundError as error:
        raise RunFailed(f"program not found: {error.filename}", hint="run 'testbedctl doctor'") from error
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"{argv[0]} did not finish within {timeout_s:g} s") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise RunFailed(
            f"{' '.join(argv[:6])} failed ({done.returncode}): {words[-1] if words else 'no output'}"
        )
    return done.stdout


def end(processes: Sequence[ProcessId], *, patience_s: float = 2.0) -> None:
    """Ask processes to end, all at once, and wait for them up to ``patience_s``."""
    _signal_all(processes, signal.SIGTERM)
    wait_until_gone(processes, patience_s)


def kill(processes: Sequence[ProcessId]) -> list[ProcessId]:
    """Kill processes, all at once; returns those that still live some seconds later."""
    _signal_all(processes, signal.SIGKILL)
    wait_until_gone(processes, 3.0)
    return [p for p in processes if p.alive()]


def wait_until_gone(processes: Sequence[ProcessId], limit_s: float) -> None:
    """Return when none of the processes lives, or after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while any(p.alive() for p in processes) and time.monotonic() < deadline:
        time.sleep(0.005)  # polling /proc; bounded by the deadline


def _signal_all(processes: Sequence[ProcessId], number: signal.Signals) -> None:
    for process in processes:
        if process.alive():
            with contextlib.suppress(ProcessLookupError):  # it ended between the look and the signal
                os.kill(process.pid, number)


def _stat(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])
