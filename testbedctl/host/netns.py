"""Network namespaces and their links, made in batches: one ``ip`` process for a whole lab."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbedctl.errors import RunFailed

NETNS_DIR = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def exists(name: str) -> bool:
    """Whether a named network namespace is there."""
    return (NETNS_DIR / name).exists()


class CommandFailed(RunFailed):
    """The kernel refused a networking command."""


def batch(
    lines: Iterable[str], *, tool: str = "ip", namespace: str | None = None, force: bool = False
) -> None:
    """Run many commands of ``ip`` or ``tc`` in one process, in a named namespace if one is given.

    Words of a line are names and numbers that ``spec`` validated or that we made; nothing passes a shell.
    Raises ``CommandFailed`` with the command that failed. With ``force`` it goes on past failures.
    """
    commands = list(lines)
    if not commands:
        return
    # ends with this process: after a kill, nothing of it may still be creating while `down` removes
    argv = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        tool,
        *(["-n", namespace] if namespace else []),
        *(["-force"] if force else []),
        "-batch",
        "-",
    ]
    try:
        done = subprocess.run(
            argv, input="\n".join(commands) + "\n", capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise RunFailed(f"program not found: {tool}", hint="run 'testbedctl doctor'") from error
    if done.returncode != 0 and not force:
        raise CommandFailed(_explain(done.stderr, commands))


def _explain(stderr: str, commands: Sequence[str]) -> str:
    words = stderr.strip().splitlines() or ["no output"]
    for line in words:
        if line.startswith("Command failed -:"):
            number = int(line.rsplit(":", 1)[1])
            return f"'{commands[number - 1]}' failed: {words[0]}"
    return f"ip failed: {words[0]}"


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Let the calling thread be inside a named network namespace for the body."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(name)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)


def enter(name: str) -> None:
    """Move the calling thread into a named network namespace for good."""
    try:
        there = os.open(NETNS_DIR / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise RunFailed(
            f"there is no network namespace {name}", hint="is the lab up? see 'testbedctl status'"
        ) from error
    try:
        _setns(there)
    finally:
        os.close(there)


def _setns(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise RunFailed(f"cannot enter a network namespace: {os.strerror(number)}", hint="this needs root")


def links(name: str) -> list[str]:
    """Names of the interfaces in a namespace, without ``lo``."""
    with inside(name):
        # /sys shows the mounter's namespace, /proc/thread-self/net the thread's own
        rows = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    return sorted(n for n in (r.split(":")[0].strip() for r in rows) if n != "lo")


def inode(name: str) -> int:
    """Identity of a namespace: what ``/proc/<pid>/ns/net`` shows for a process inside it."""
    return (NETNS_DIR / name).stat().st_ino


def pids(inodes: set[int]) -> list[int]:
    """Processes that live in any of the namespaces with these identities."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if Path(f"/proc/{entry.name}/ns/net").stat().st_ino in inodes:
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or is none of ours
    return found
