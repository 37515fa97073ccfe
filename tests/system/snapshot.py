"""What a host looks like, by looking at the host: the judge of whether a lab left anything behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

SETTINGS = ("net/core", "net/ipv4", "net/ipv6", "net/bridge", "net/netfilter", "kernel/sched_rt_runtime_us")
COUNTERS = ("nf_conntrack_count",)
"""Kernel settings that are none: they change by themselves."""

PROGRAMS = ("ovs", "prometheus", "iperf3", "tcpdump", "nsenter", "tcpreplay")
Snapshot = dict[str, list[str]]
DIRECTORIES = ("/run/openvswitch", "/var/log/openvswitch", "/etc/openvswitch", "/var/lib/openvswitch")
"""Of the machine's own Open vSwitch, which a lab must not touch."""


def snapshot() -> Snapshot:
    """Namespaces, interfaces, mounts, control groups, kernel settings, files and programs."""
    return {
        "namespaces": _names("/run/netns"),
        "interfaces": sorted(
            f"{p.name} {(p / 'ifindex').read_text().strip()}" for p in Path("/sys/class/net").glob("*/")
        ),
        "mounts": sorted(m for m in Path("/proc/self/mounts").read_text().splitlines() if not _own_of_ip(m)),
        "groups": sorted(_groups()),
        "settings": sorted(_settings()),
        "expedited": Path("/sys/kernel/rcu_expedited").read_text().split(),
        "files": sorted(_files()),
        "programs": sorted(_programs()),
    }


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """What changed, one line each: ``-`` is gone, ``+`` has come."""
    found = []
    for topic, was in before.items():
        old, new = set(was), set(after[topic])
        found += [f"{topic}: - {entry}" for entry in sorted(old - new)]
        found += [f"{topic}: + {entry}" for entry in sorted(new - old)]
    return found


def _names(directory: str) -> list[str]:
    return sorted(p.name for p in Path(directory).glob("*"))


def _own_of_ip(mount: str) -> bool:
    """`ip` makes its directory a mount when it first needs it, and keeps it so."""
    return mount.split()[1] == "/run/netns"


def _groups() -> Iterator[str]:
    for directory, _, _ in os.walk("/sys/fs/cgroup"):
        if "testbedctl" in directory:
            yield directory


def _settings() -> Iterator[str]:
    for setting in SETTINGS:
        root = Path("/proc/sys") / setting
        for file in [root] if root.is_file() else root.rglob("*"):
            if file.name in COUNTERS or not file.is_file():
                continue
            try:
                yield f"{file} = {' '.join(file.read_text().split())}"
            except OSError:  # one that can only be written, or a statistic without a value
                continue


def _files() -> Iterator[str]:
    for root in ("/run", "/tmp", "/var/lib"):
        for path in Path(root).glob("testbedctl*"):
            yield from (str(p) for p in (path, *path.rglob("*")))
    state = Path(os.environ.get("TESTBEDCTL_STATE", "/var/lib/testbedctl"))
    yield from (str(p) for p in state.rglob("*"))
    for directory in DIRECTORIES:
        yield from (f"{directory}/{name}" for name in _names(directory))


def _programs() -> Iterator[str]:
    """Programs of labs: by name, by control group, by namespace, or by what they were started with."""
    home = Path("/proc/self/ns/net").stat().st_ino
    mine = set(_ancestors(os.getpid()))
    for pid in {int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()} - mine:
        root = Path(f"/proc/{pid}")
        try:
            argv = (root / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            name = (root / "comm").read_text().strip()
            inside = "testbedctl" in (root / "cgroup").read_text() or (root / "ns/net").stat().st_ino != home
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue
        if argv and (inside or name.startswith(PROGRAMS) or _runs_ours(argv.split())):
            yield f"{pid} {argv}"


def _runs_ours(words: list[str]) -> bool:
    """The command itself or one of its modules; an editor that has one of our files open is neither."""
    modules = [after for before, after in pairwise(words) if before == "-m"]
    return any(m.partition(".")[0] == "testbedctl" for m in modules) or any(
        Path(word).name == "testbedctl" for word in words[:2]
    )


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 0:
        yield pid
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
