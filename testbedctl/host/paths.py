"""Where a lab keeps what must survive a reboot (state) and what must not (runtime)."""

from __future__ import annotations

import os
from pathlib import Path

RUNTIME_ROOT = Path("/run/testbedctl")


def state_root() -> Path:
    """``$TESTBEDCTL_STATE``, default ``/var/lib/testbedctl``."""
    return Path(os.environ.get("TESTBEDCTL_STATE") or "/var/lib/testbedctl")


def state_dir(lab: str) -> Path:
    """Journal, lock, resolved spec and logs of a lab; survives a reboot."""
    return state_root() / lab


def runtime_dir(lab: str) -> Path:
    """Sockets, switch databases and tokens of a lab; on tmpfs, and short enough for socket paths."""
    return RUNTIME_ROOT / lab


def labs() -> list[str]:
    """Names of the labs that have a journal on this host."""
    root = state_root()
    if not root.is_dir():
        return []
    return sorted(p.name for p in root.iterdir() if (p / "journal.jsonl").is_file())
