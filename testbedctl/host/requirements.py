"""What the local backend cannot do without."""

from __future__ import annotations

import os
import shutil

PROGRAMS = {
    "ip": "iproute2",
    "tc": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ovs-vswitchd": "openvswitch-switch",
    "ovsdb-server": "openvswitch-switch",
    "ovs-vsctl": "openvswitch-switch",
    "iperf3": "iperf3",
    "prometheus": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
}
"""Programs, and the Debian package that brings each."""


def missing() -> list[str]:
    """One sentence for each thing that is missing; empty where a lab can be brought up."""
    found = [] if os.geteuid() == 0 else ["not root: namespaces and control groups need it"]
    absent = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if absent:
        found.append(f"missing packages: {' '.join(absent)} (apt-get install {' '.join(absent)})")
    return found
