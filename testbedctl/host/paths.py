"""Where a lab keeps what must survive a reboot (state) and what must not (runtime)."""

from __future__ import annotations

import os
import re
from pathlib import Path

RUNTIME_ROOT = Path("/run/testbedctl")
MARK = "lab"
"""A file in the runtime directory of each lab: by it we know our own, and where its state is."""

_BESIDE = re.compile(r"\.lab\.([a-z0-9-]+)\.(?:lock|moving)")


def state_root() -> Path:
    """``$TESTBEDCTL_STATE``, default ``/var/lib/testbedctl``."""
    return Path(os.environ.get("TESTBEDCTL_STATE") or "/var/lib/testbedctl")


def state_dir(lab: str) -> Path:
    """Journal, resolved spec and logs of a lab; survives a reboot."""
    return state_root() / lab


def lock_file(lab: str) -> Path:
    """A lab's lock; outside its state directory, which comes and goes with the lab."""
    return state_root() / f".lab.{lab}.lock"


def moving_dir(lab: str) -> Path:
    """The state directory while it is made or removed: it appears and goes as a whole, by a rename."""
    return state_root() / f".lab.{lab}.moving"


def runtime_dir(lab: str) -> Path:
    """Sockets, switch databases and tokens of a lab; on tmpfs, and short enough for socket paths."""
    return RUNTIME_ROOT / lab


def labs() -> list[str]:
    """Names of the labs that have a journal."""
    return sorted(p.name for p in _state_entries() if (p / "journal.jsonl").is_file())


def begun() -> list[str]:
    """Names of the labs of which anything is there: also what ``up`` leaves if killed before its journal."""
    beside = {found[1] for p in _state_entries() if (found := _BESIDE.fullmatch(p.name))}
    return sorted({*labs(), *beside})


def in_use() -> list[str]:
    """Names of the labs that rely on this host's shared settings, wherever their state is."""
    root = RUNTIME_ROOT
    return sorted(p.name for p in root.iterdir() if (p / MARK).is_file()) if root.is_dir() else []


def _state_entries() -> list[Path]:
    root = state_root()
    return list(root.iterdir()) if root.is_dir() else []
