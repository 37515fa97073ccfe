"""The programs and Python libraries that a lab is made of, and which versions are here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "ovs-vswitchd": ("--version",),
    "ovsdb-server": ("--version",),
    "iperf3": ("--version",),
    "prometheus": ("--version",),
    "prometheus-node-exporter": ("--version",),
    "ip": ("-V",),
    "ethtool": ("--version",),
    "tcpdump": ("--version",),
    "nsenter": ("--version",),
    "setpriv": ("--version",),
}
"""Programs that a lab starts, with the arguments that make each print its version."""

LIBRARIES = (
    "nfstream",
    "os-ken",
    "prometheus-api-client",
    "prometheus-client",
    "pyarrow",
    "pydantic",
    "scipy",
)


def program_version(name: str, path: str | None = None) -> str | None:
    """The version of a program in ``PROGRAMS``: None if it is not found, ``unknown`` if it does not say.

    ``path`` is a search path; the default is ``$PATH`` with the directories for administrators added.
    """
    found = shutil.which(
        name, path=path or os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    )
    if not found:
        return None
    try:
        done = subprocess.run(
            [found, *PROGRAMS[name]],
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
