"""Who writes a run: a process, known by its pid and its start time together."""

from __future__ import annotations

import os
from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot (proc(5), field 22), or None without one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def own_ticks() -> int:
    """Start time of this process in clock ticks since boot."""
    ticks = start_ticks(os.getpid())
    if ticks is None:
        raise RuntimeError("/proc does not know this process")
    return ticks


def is_alive(pid: int, ticks: int) -> bool:
    """Whether the process that had this pid and start time still runs; a reused pid does not count."""
    return start_ticks(pid) == ticks
