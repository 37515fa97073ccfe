"""Global kernel settings: the old value is on record first, and put back when no lab is left.

The record is the host's and not a lab's, for several labs rely on one setting. It lives in the runtime
directory, as long as the settings themselves: until a reboot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbedctl.host import paths
from testbedctl.host.lock import held

SOCKET_BUFFERS = tuple(
    Path("/proc/sys/net/core") / name for name in ("rmem_default", "rmem_max", "wmem_default", "wmem_max")
)
"""Receive buffer of new sockets (a user-space switch's ring), and the most one may ask for; bytes."""

EXPEDITED_RCU = Path("/sys/kernel/rcu_expedited")
"""1: the kernel answers a grace period at once. Closing a packet socket costs one, 7 ms each otherwise."""

PATIENCE_S = 10.0


@contextmanager
def locked() -> Iterator[None]:
    """Hold what the labs of a host share: its settings, and the directories above their own."""
    root = paths.RUNTIME_ROOT
    with held(root.with_name(f"{root.name}.lock"), "what labs share on this host", wait_s=PATIENCE_S):
        yield


def read(path: Path) -> str:
    """The value of a setting, whitespace folded."""
    return " ".join(path.read_text().split())


def raise_to(path: Path, least: int) -> bool:
    """Raise a numeric setting to at least ``least``, under the lock; returns whether that changed it."""
    if not path.exists():
        return False
    old = read(path)
    if int(old) >= least:
        return False
    known = recorded()
    first = known.get(str(path), {"old": old})  # what stood before any lab came
    _record({**known, str(path): {"old": first["old"], "new": str(least)}})
    path.write_text(str(least))
    return True


@contextmanager
def raised(path: Path, least: int) -> Iterator[None]:
    """Have a setting raised for the body. One that a killed process left raised is put back, too."""
    with locked():
        raise_to(path, least)
    try:
        yield
    finally:
        with locked():
            restore(path)


def recorded() -> dict[str, dict[str, str]]:
    """Settings that labs have raised: ``old`` and ``new`` by path."""
    try:
        known: dict[str, dict[str, str]] = json.loads(_file().read_text())
    except FileNotFoundError:
        return {}
    return known


def in_force() -> list[str]:
    """Recorded settings that still have the value that we wrote, as ``path = value``."""
    return [f"{path} = {r['new']}" for path, r in recorded().items() if read(Path(path)) == r["new"]]


def restore(path: Path) -> bool:
    """Put a setting back, under the lock, unless somebody else has changed it since."""
    known = recorded()
    record = known.pop(str(path), None)
    if record is None:
        return False
    ours = read(path) == record["new"]
    if ours:
        path.write_text(record["old"])
    _record(known)
    return ours


def _record(known: dict[str, dict[str, str]]) -> None:
    """Replace the record as a whole: a kill leaves the old one or the new one."""
    file = _file()
    if not known:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(known, indent=2))
    fresh.replace(file)


def _file() -> Path:
    return paths.RUNTIME_ROOT / "settings.json"
