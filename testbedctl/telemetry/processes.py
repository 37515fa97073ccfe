"""What ``/proc`` says about the processes of a VNF: bytes written, and its namespace's interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from testbedctl.host import netns

PROC = Path("/proc")


class InterfaceCounters(NamedTuple):
    """What an interface has received and sent so far."""

    receive_bytes: int
    receive_packets: int
    transmit_bytes: int
    transmit_packets: int


class Traffic(NamedTuple):
    """Bytes that interfaces have received and sent so far, seen from inside the VNF."""

    receive_bytes: int
    transmit_bytes: int


def written_bytes(pids: Iterable[int], *, proc: Path = PROC) -> dict[tuple[int, str], int]:
    """Bytes that each living process caused to be written to storage, by pid and start time.

    Version 1's blkio controller charges buffered writes to the kernel's flusher threads, so that a VNF would
    seem to write nothing; the process's own account counts them when a page becomes dirty.
    """
    written = {}
    for pid in pids:
        try:
            account = (proc / str(pid) / "io").read_text()
            start_ticks = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended after the group's members were listed
        written[pid, start_ticks] = int(account.partition("\nwrite_bytes: ")[2].split("\n", 1)[0])
    return written


def traffic(pids: Sequence[int], interfaces: Sequence[str], *, proc: Path = PROC) -> Traffic:
    """Counters of interfaces in the network namespace of the first of these processes that lives.

    Raises ``ProcessLookupError`` if none does, ``ValueError`` if an interface is missing.
    """
    for pid in pids:
        try:
            return _sum((proc / str(pid) / "net" / "dev").read_text(), interfaces)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended after the group's members were listed
    raise ProcessLookupError("the VNF has no living process")


class NamespaceTraffic:
    """Counters of interfaces in a named network namespace, which is entered once.

    The open file stays bound to its namespace and is read again from its beginning.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._file: TextIO | None = None

    def read(self, interfaces: Sequence[str]) -> Traffic:
        """The present counters; raises ``OSError``, ``RunFailed`` or ``ValueError`` if they cannot be had."""
        if self._file is None:
            with netns.inside(self._name):
                self._file = (PROC / "thread-self" / "net" / "dev").open()
        self._file.seek(0)
        return _sum(self._file.read(), interfaces)


def interface_counters(table: str) -> dict[str, InterfaceCounters]:
    """From the text of ``/proc/net/dev``, by interface: eight columns received, eight sent."""
    found = {}
    for line in table.splitlines()[2:]:
        name, _, columns = line.partition(":")
        values = [int(value) for value in columns.split()]
        found[name.strip()] = InterfaceCounters(values[0], values[1], values[8], values[9])
    return found


def _sum(table: str, interfaces: Sequence[str]) -> Traffic:
    counters = interface_counters(table)
    missing = [name for name in interfaces if name not in counters]
    if missing:
        raise ValueError(f"no interface {missing[0]!r}")
    return Traffic(
        sum(counters[i].receive_bytes for i in interfaces),
        sum(counters[i].transmit_bytes for i in interfaces),
    )
