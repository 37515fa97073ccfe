"""Takes a lab down: replays its journal backwards, then looks at the host and says what is left.

Works with the spec gone, with a full disk, after a crash at any instant, and after a reboot (when the kernel
has already forgotten everything but the files).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from testbedctl.backends.local.lab import USER_PROGRAM, Lab
from testbedctl.errors import CleanupIncomplete, TestbedError
from testbedctl.host import cgroup, netns, paths, process, settings
from testbedctl.host.journal import Record, boot_id
from testbedctl.host.process import ProcessId


def down(lab: Lab, *, wait_s: float = 0) -> list[str]:
    """Take the lab down and return what was removed, one line each.

    Raises ``CleanupIncomplete`` with everything that the audit still finds.
    """
    with lab.locked(wait_s):
        return take_down(lab)


def take_down(lab: Lab) -> list[str]:
    """``down`` for who holds the lab's lock already."""
    if not lab.journal_file.exists():  # killed before its first record, or in the middle of the last step
        _remove_tree(lab.moving)
        return []
    records = list(lab.journal.records())
    same_boot = any(r["kind"] == "lab" and r["boot_id"] == boot_id() for r in records)
    removed: list[str] = []
    left: list[str] = []
    if same_boot:
        with settings.raised(settings.EXPEDITED_RCU, 1):
            removed.append(f"{_end_processes(lab, records)} processes")
            for record in reversed(records):
                try:
                    removed += _undo(lab, record)
                except (TestbedError, OSError) as obstacle:  # the rest shall go all the same
                    left.append(str(obstacle))
        removed += _release(lab)
        left += audit(lab, records)
    if left:
        raise CleanupIncomplete(
            f"left behind by the lab {lab.name}: {'; '.join(left)}", hint="run 'down' again"
        )
    _forget(lab)
    return removed


def audit(lab: Lab, records: list[Record]) -> list[str]:
    """What of the lab is still on the host, by looking at the host."""
    left = [f"process {p.pid}" for p in _processes(lab, records)]
    for record in records:
        if record["kind"] == "namespaces":
            left += [f"network namespace {n}" for n in record["names"] if netns.exists(n)]
        elif record["kind"] == "group" and cgroup.exists(lab.hierarchy, record["group"]):
            left.append(f"control group {record['group']}")
        elif record["kind"] == "directory" and Path(record["path"]).exists():
            left.append(f"directory {record['path']}")
    return left if paths.in_use() else left + settings.in_force()


def _processes(lab: Lab, records: list[Record]) -> list[ProcessId]:
    """Every living process of the lab: journaled, in its control groups, or in its namespaces."""
    found = {ProcessId(r["pid"], r["ticks"]) for r in records if r["kind"] == "process"}
    pids: set[int] = set()
    for record in records:
        if record["kind"] == "group":
            pids.update(cgroup.members(lab.hierarchy, record["group"]))
        elif record["kind"] == "namespaces":
            pids.update(netns.pids({netns.inode(n) for n in record["names"] if netns.exists(n)}))
    found.update(identity for pid in pids if (identity := process.identify(pid)))
    return [p for p in found if p.alive()]


def _end_processes(lab: Lab, records: list[Record]) -> int:
    """End everything. A user's own programs are asked to; ours have nothing to save."""
    journaled = [r for r in records if r["kind"] == "process" and r["name"].startswith(USER_PROGRAM)]
    asked = [p for r in journaled if (p := ProcessId(r["pid"], r["ticks"])).alive()]
    process.end(asked)
    ended = sum(not p.alive() for p in asked)
    while living := _processes(lab, records):  # a program may have started another meanwhile
        ended += len(living)
        if stubborn := process.kill(living):
            raise CleanupIncomplete(
                f"processes that cannot be ended: {', '.join(str(p.pid) for p in stubborn)}"
            )
    return ended


def _undo(lab: Lab, record: Record) -> list[str]:
    kind = record["kind"]
    if kind == "namespaces":
        present = [n for n in record["names"] if netns.exists(n)]
        netns.batch([f"netns del {n}" for n in present])
        return [f"{len(present)} network namespaces"]
    if kind == "group":
        cgroup.remove(lab.hierarchy, record["group"])
        return [f"control group {record['group']}"]
    if kind == "directory":
        _remove_tree(Path(record["path"]))
        return [f"directory {record['path']}"]
    return []


def _release(lab: Lab) -> list[str]:
    """What labs share goes with the last of them."""
    with settings.locked():
        cgroup.remove_if_empty(lab.hierarchy, str(Path(lab.group).parent))
        if others := paths.in_use():
            return [f"kernel settings left to the lab {others[0]}"] if settings.recorded() else []
        given_back = [path for path in settings.recorded() if settings.restore(Path(path))]
        _remove_if_empty(paths.RUNTIME_ROOT)
    return [f"{len(given_back)} kernel settings"] if given_back else []


def _forget(lab: Lab) -> None:
    """Remove the state as a whole: a kill must not leave files without the journal that owns them."""
    _remove_tree(lab.moving)
    lab.state.rename(lab.moving)
    _remove_tree(lab.moving)


def _remove_tree(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def _remove_if_empty(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
