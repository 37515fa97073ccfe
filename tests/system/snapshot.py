"""What a host looks like, by looking at the host: the judge of whether a lab left anything behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SETTINGS = ("net/core/rmem_default", "net/core/rmem_max", "net/core/wmem_max", "net/ipv4/ip_forward")
PROGRAMS = ("ovs", "prometheus", "iperf3", "tcpdump", "python")


def snapshot() -> dict[str, object]:
    """Namespaces, interfaces, control groups, kernel settings, runtime files and lab programs."""
    return {
        "namespaces": sorted(p.name for p in Path("/run/netns").glob("*"))
        if Path("/run/netns").is_dir()
        else [],
        "interfaces": sorted(p.name for p in Path("/sys/class/net").iterdir()),
        "groups": sorted(str(p) for p in Path("/sys/fs/cgroup").rglob("testbedctl*")),
        "settings": {s: (Path("/proc/sys") / s).read_text() for s in SETTINGS},
        "expedited": Path("/sys/kernel/rcu_expedited").read_text(),
        "runtime": sorted(str(p) for p in Path("/run").glob("testbedctl*")),
        "mounts": sorted(line for line in Path("/proc/mounts").read_text().splitlines() if "netns" in line),
        "programs": _programs(),
    }


def _programs() -> list[str]:
    """Programs that a lab would run, without those above this test in the process tree."""
    table = {}
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,stat=,comm="], capture_output=True, text=True, check=True
    )
    for line in listing.stdout.splitlines():
        pid, parent, state, name = line.split(None, 3)
        table[int(pid)] = (int(parent), state, name)
    mine = {os.getpid()}
    while (parent := table.get(min(mine), (0, "", ""))[0]) > 0 and parent not in mine:
        mine.add(parent)
        if parent not in table:
            break
    return sorted(
        f"{name} {pid}"
        for pid, (parent, state, name) in table.items()
        if name.startswith(PROGRAMS) and pid not in mine and not state.startswith("Z")
    )
