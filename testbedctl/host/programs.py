"""The programs and Python libraries that a lab is made of, and which versions are here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import NamedTuple


class Program(NamedTuple):
    """A program: the Debian package that brings it, what does not work without it, the argument that makes it
    print its version, and whether a lab can do without."""

    package: str
    without: str
    version: str = "--version"
    optional: bool = False


_NO_SWITCH = "no switch can be started"
PROGRAMS: Mapping[str, Program] = {
    "ovs-vswitchd": Program("openvswitch-switch", _NO_SWITCH),
    "ovsdb-server": Program("openvswitch-switch", _NO_SWITCH),
    "ovsdb-tool": Program("openvswitch-common", _NO_SWITCH),
    "ovs-vsctl": Program("openvswitch-switch", "no switch can be told its ports"),
    "ovs-ofctl": Program("openvswitch-common", "no switch can be given its rules"),
    "iperf3": Program("iperf3", "no traffic can be sent"),
    "prometheus": Program("prometheus", "nothing can be measured"),
    "prometheus-node-exporter": Program("prometheus-node-exporter", "the host's own load goes unseen"),
    "ip": Program("iproute2", "no namespace or link can be made", "-V"),
    "tc": Program("iproute2", "no link can be given a rate or a delay", "-V"),
    "nsenter": Program("util-linux", "nothing can run on a node"),
    "setpriv": Program("util-linux", "programs would outlive the command that started them"),
    "tcpdump": Program("tcpdump", "'capture' does not work; everything else does", optional=True),
}
"""What a lab starts, by name."""

LIBRARIES = (
    "nfstream",
    "os-ken",
    "prometheus-api-client",
    "prometheus-client",
    "pyarrow",
    "pydantic",
    "scipy",
)


def found(name: str, path: str | None = None) -> str | None:
    """Where a program is, or None.

    ``path`` is a search path; the default is ``$PATH`` with the directories for administrators added.
    """
    administrators = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return shutil.which(name, path=path or administrators)


def program_version(name: str, path: str | None = None) -> str | None:
    """The version of a program in ``PROGRAMS``: None if it is not found, ``unknown`` if it does not say."""
    program = found(name, path)
    if not program:
        return None
    try:
        done = subprocess.run(
            [program, PROGRAMS[name].version],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    match = re.search(r"\d+\.\d[\w.+~]*|(?<=iproute2-)\S+", done.stdout + done.stderr)
    return match[0].rstrip(".,") if match else "unknown"


def library_version(name: str) -> str | None:
    """The version of an installed Python distribution, without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None
