"""CPU time, throttling and memory of a control group, version 1 and 2, in the kernel's own resolution.

Every function raises ``OSError`` if a file cannot be read and ``ValueError`` if it does not say what it
should.
"""

from __future__ import annotations

from pathlib import Path

from testbedctl.telemetry.config import Cgroups
from testbedctl.units import NS

US = 1_000_000


def cpu_seconds(cgroups: Cgroups) -> float:
    """CPU time used so far, in seconds; in steps of 1 ns on version 1, of 1 µs on version 2."""
    if cgroups.version == 1:
        return int(_text(cgroups.cpuacct, "cpuacct.usage")) / NS
    return _field(_text(cgroups.cpu, "cpu.stat"), "usage_usec") / US


def throttled_seconds(cgroups: Cgroups) -> float:
    """Time so far during which the quota kept the group from running, summed over cores, in seconds."""
    stat = _text(cgroups.cpu, "cpu.stat")
    if cgroups.version == 1:
        return _field(stat, "throttled_time") / NS
    return _field(stat, "throttled_usec") / US


def memory_bytes(cgroups: Cgroups) -> int:
    """The working set: what is charged to the group less file pages that the kernel can drop at once.

    Both versions charge page cache to whoever touched it first; counting the inactive part would make a VNF
    that once read a large file look full. The kernel's limit reclaims those pages before it kills.
    """
    if cgroups.version == 1:
        used, inactive = "memory.usage_in_bytes", "total_inactive_file"
    else:
        used, inactive = "memory.current", "inactive_file"
    reclaimable = _field(_text(cgroups.memory, "memory.stat"), inactive)
    return max(0, int(_text(cgroups.memory, used)) - reclaimable)


def members(cgroups: Cgroups) -> list[int]:
    """Pids of the group's processes."""
    return [int(pid) for pid in _text(cgroups.cpu, "cgroup.procs").split()]


def written_bytes(cgroups: Cgroups) -> int | None:
    """Bytes written to block devices so far, from version 2's io controller; None where it is not enabled."""
    file = Path(cgroups.cpu, "io.stat")
    if cgroups.version == 1 or not file.exists():
        return None
    fields = file.read_text().split()
    return sum(int(f.removeprefix("wbytes=")) for f in fields if f.startswith("wbytes="))


def _text(directory: str, name: str) -> str:
    with open(f"{directory}/{name}") as file:  # noqa: PTH123 -- half the cost of Path, several times a scrape
        return file.read()


def _field(text: str, name: str) -> int:
    before, found, after = ("\n" + text).partition(f"\n{name} ")
    if not found:
        raise ValueError(f"no field {name!r} in {before[:60]!r}")
    return int(after.split("\n", 1)[0])
