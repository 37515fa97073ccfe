"""Control groups, version 1 and 2: CPU quota, memory limit, and who is inside.

A group is named by a relative path such as ``testbedctl/<lab>/<node>``; on version 1 it is one directory per
controller, on version 2 one directory.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from testbedctl.errors import HostUnfit, RunFailed

PERIOD_US = 20_000
"""Period of the CPU quota. Short, so that a throttled switch pauses for less than its ring holds."""

CONTROLLERS_V1 = ("cpu", "cpuacct", "memory")
CONTROLLERS_V2 = frozenset({"cpu", "memory", "io"})
"""Enabled for our groups; ``io``, where there is one, counts what a VNF writes."""

MINIMUM_QUOTA_US = 1_000


@dataclass(frozen=True)
class Hierarchy:
    """Where control groups are mounted: ``roots`` maps a controller to its directory."""

    version: int
    roots: dict[str, Path]

    def directories(self, group: str) -> list[Path]:
        """The directories of a group, without duplicates (``cpu`` and ``cpuacct`` may be one)."""
        found: dict[str, Path] = {}
        for root in self.roots.values():
            found.setdefault(os.path.realpath(root), root / group)
        return list(found.values())

    def controller(self, name: str, group: str) -> Path:
        """The directory that holds a controller's files for a group."""
        return self.roots[name] / group


def detect(root: Path = Path("/sys/fs/cgroup")) -> Hierarchy:
    """Which version this host offers; raises ``HostUnfit`` if neither has CPU quotas and memory limits."""
    if all((root / c).is_dir() for c in CONTROLLERS_V1):
        return Hierarchy(1, {c: root / c for c in CONTROLLERS_V1})
    controllers = root / "cgroup.controllers"
    if controllers.is_file() and {"cpu", "memory"} <= set(controllers.read_text().split()):
        return Hierarchy(2, dict.fromkeys(CONTROLLERS_V1, root))
    raise HostUnfit(
        f"no control groups with the controllers cpu and memory under {root}",
        hint="mount cgroup v2, or v1 with cpu, cpuacct and memory",
    )


def create(
    hierarchy: Hierarchy, group: str, *, cpu_cores: float | None = None, memory_bytes: int | None = None
) -> None:
    """Make a group with its limits. On version 2 the controllers are enabled down the path."""
    if hierarchy.version == 2:
        _delegate_v2(hierarchy.roots["cpu"], group)
    for directory in hierarchy.directories(group):
        directory.mkdir(parents=True, exist_ok=True)
    if cpu_cores is not None:
        _limit_cpu(hierarchy, group, cpu_cores)
    if memory_bytes is not None:
        name = "memory.limit_in_bytes" if hierarchy.version == 1 else "memory.max"
        _write(hierarchy.controller("memory", group) / name, str(memory_bytes))


def members(hierarchy: Hierarchy, group: str) -> list[int]:
    """Pids inside the group and all groups below it."""
    pids: set[int] = set()
    for directory in hierarchy.directories(group):
        for file in directory.rglob("cgroup.procs") if directory.is_dir() else ():
            try:
                pids.update(int(p) for p in file.read_text().split())
            except (FileNotFoundError, OSError):  # removed while we looked, as `down` does
                continue
    return sorted(pids)


def remove(hierarchy: Hierarchy, group: str, *, patience_s: float = 2.0) -> None:
    """Remove a group and those below it; the kernel needs a moment after the last process has gone."""
    for directory in hierarchy.directories(group):
        below = (
            sorted((p for p in directory.rglob("*") if p.is_dir()), reverse=True)
            if directory.is_dir()
            else []
        )
        for each in [*below, directory]:
            _remove_directory(each, patience_s)


def remove_if_empty(hierarchy: Hierarchy, group: str) -> None:
    """Remove a group that has none below it, such as the one that all labs share."""
    for directory in hierarchy.directories(group):
        if directory.is_dir() and not any(p.is_dir() for p in directory.iterdir()):
            _remove_directory(directory, 0.1)


def exists(hierarchy: Hierarchy, group: str) -> bool:
    """Whether any directory of the group is there."""
    return any(d.is_dir() for d in hierarchy.directories(group))


def _limit_cpu(hierarchy: Hierarchy, group: str, cpu_cores: float) -> None:
    quota_us = max(MINIMUM_QUOTA_US, round(cpu_cores * PERIOD_US))
    directory = hierarchy.controller("cpu", group)
    if hierarchy.version == 2:
        _write(directory / "cpu.max", f"{quota_us} {PERIOD_US}")
        return
    _write(directory / "cpu.cfs_period_us", str(PERIOD_US))
    _write(directory / "cpu.cfs_quota_us", str(quota_us))


def _delegate_v2(root: Path, group: str) -> None:
    offered = set((root / "cgroup.controllers").read_text().split())
    wanted = " ".join(f"+{name}" for name in sorted(CONTROLLERS_V2 & offered))
    at = root
    for part in Path(group).parts:
        _write(at / "cgroup.subtree_control", wanted)
        at = at / part
        at.mkdir(exist_ok=True)


def _remove_directory(directory: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            directory.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise RunFailed(f"cannot remove the control group {directory}: {error.strerror}") from error
            time.sleep(0.005)  # bounded by the deadline


def _write(file: Path, value: str) -> None:
    try:
        file.write_text(value)
    except OSError as error:
        raise RunFailed(f"cannot write {value!r} to {file}: {error.strerror}") from error
