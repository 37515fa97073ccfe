"""Global kernel settings: the old value is journaled first, and put back only where ours still stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbedctl.host.journal import Journal, Record

SOCKET_BUFFERS = tuple(
    Path("/proc/sys/net/core") / name for name in ("rmem_default", "rmem_max", "wmem_default", "wmem_max")
)
"""Receive buffer of new sockets (a user-space switch's ring), and the most one may ask for; bytes."""

EXPEDITED_RCU = Path("/sys/kernel/rcu_expedited")
"""1: the kernel answers a grace period at once. Closing a packet socket costs one, 7 ms each otherwise."""


def read(path: Path) -> str:
    """The value of a setting, whitespace folded."""
    return " ".join(path.read_text().split())


def raise_to(journal: Journal, path: Path, least: int) -> bool:
    """Raise a numeric setting to at least ``least``; returns whether that changed it."""
    if not path.exists():
        return False
    old = read(path)
    if int(old) >= least:
        return False
    journal.append("setting", path=str(path), old=old, new=str(least))
    path.write_text(str(least))
    return True


@contextmanager
def raised(journal: Journal, path: Path, least: int) -> Iterator[None]:
    """Have a setting raised for the body."""
    changed = raise_to(journal, path, least)
    try:
        yield
    finally:
        if changed:
            restore(list(journal.find("setting"))[-1])


def in_force(record: Record) -> bool:
    """Whether the value that we wrote still stands."""
    return read(Path(record["path"])) == str(record["new"])


def restore(record: Record) -> None:
    """Undo one ``setting`` record, unless somebody else has changed the value since."""
    if in_force(record):
        Path(record["path"]).write_text(record["old"])
