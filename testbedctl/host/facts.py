"""What this machine is: small readers that change nothing, load nothing and guess nothing.

Every reader takes ``root``, the directory that stands for ``/``, so that machines which are not at hand
(cgroup v2, a kernel datapath) can be described by a tree of files. Something unknown is ``None``.
"""

from __future__ import annotations

import gzip
import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbedctl.host.programs import LIBRARIES, PROGRAMS, library_version, program_version

ROOT = Path("/")

CONTROLLERS = {1: ("cpu", "cpuacct", "memory"), 2: ("cpu", "memory")}
"""The cgroup controllers that quotas and accounting need, by version."""

CAPABILITIES = {"dac_override": 1, "kill": 5, "net_admin": 12, "net_raw": 13, "sys_admin": 21}
"""The capabilities that a lab needs, and their bit in ``CapEff`` (capabilities(7))."""

FEATURES = {
    "openvswitch": "CONFIG_OPENVSWITCH",
    "sch_netem": "CONFIG_NET_SCH_NETEM",
    "vxlan": "CONFIG_VXLAN",
    "veth": "CONFIG_VETH",
    "tun": "CONFIG_TUN",
    "bridge": "CONFIG_BRIDGE",
    "kvm": "CONFIG_KVM",
}
"""Kernel modules of interest, and the option that builds each in."""

SYSCTLS = (
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.netdev_max_backlog",
    "net.ipv4.ip_forward",
)


@dataclass(frozen=True)
class Cpu:
    """Processor: ``cores`` are logical; ``governor`` is None where frequency is not ours to see."""

    model: str | None
    cores: int
    governor: str | None
    virtual: bool


@dataclass(frozen=True)
class Cgroup:
    """Control groups as mounted: ``mode`` is v1, v2, hybrid (v1 beside an empty v2) or none.

    ``version`` is the one a lab uses, 0 if neither has every controller; ``missing`` names the lacking.
    """

    mode: str
    version: int
    controllers: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Rights:
    """The user id, and which of ``CAPABILITIES`` this process lacks."""

    uid: int
    missing: tuple[str, ...]


def operating_system(root: Path = ROOT) -> str | None:
    """The distribution's own name for itself (os-release(5))."""
    match = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', _read(root, "etc/os-release") or "", re.MULTILINE)
    return match[1] if match else None


def kernel(root: Path = ROOT) -> str | None:
    """The kernel's release."""
    return _word(root, "proc/sys/kernel/osrelease")


def cpu(root: Path = ROOT) -> Cpu:
    """Model, logical cores, frequency governor of the first core, and whether a hypervisor is below."""
    text = _read(root, "proc/cpuinfo") or ""
    model = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return Cpu(
        model=model[1].strip() if model else None,
        cores=len(re.findall(r"^processor\s*:", text, re.MULTILINE)),
        governor=_word(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        virtual=bool(flags and "hypervisor" in flags[1].split()),
    )


def memory_bytes(root: Path = ROOT) -> int | None:
    """Installed memory."""
    match = re.search(r"^MemTotal:\s*(\d+) kB", _read(root, "proc/meminfo") or "", re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def cgroup(root: Path = ROOT) -> Cgroup:
    """Which control groups are mounted, and whether they can carry quotas and accounting."""
    base = root / "sys/fs/cgroup"
    v1 = tuple(c for c in CONTROLLERS[1] if (base / c).is_dir())
    unified = _read(root, "sys/fs/cgroup/cgroup.controllers")
    if unified is not None:
        found = tuple(unified.split())
        lacking = tuple(c for c in CONTROLLERS[2] if c not in found)
        return Cgroup("v2", 0 if lacking else 2, found, lacking)
    lacking = tuple(c for c in CONTROLLERS[1] if c not in v1)
    hybrid = (base / "unified/cgroup.controllers").is_file()
    mode = ("hybrid" if hybrid else "v1") if v1 else "none"
    return Cgroup(mode, 0 if lacking else 1, v1, lacking)


def rights(root: Path = ROOT) -> Rights:
    """Who this process is to the kernel."""
    status = _read(root, "proc/self/status") or ""
    uid = re.search(r"^Uid:\s*\d+\s+(\d+)", status, re.MULTILINE)
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    bits = int(effective[1], 16) if effective else 0
    missing = tuple(name for name, bit in CAPABILITIES.items() if not bits >> bit & 1)
    return Rights(int(uid[1]) if uid else os.geteuid(), missing)


def feature(module: str, root: Path = ROOT) -> str:
    """How the kernel has ``module``: ``loaded``, ``built-in``, ``loadable`` or ``absent``. Loads nothing."""
    if (root / "sys/module" / module).is_dir():
        return "loaded"
    modules = f"lib/modules/{kernel(root)}"
    if f"{FEATURES[module]}=y" in _kernel_options(root) or _lists(root, f"{modules}/modules.builtin", module):
        return "built-in"
    return "loadable" if _lists(root, f"{modules}/modules.dep", module) else "absent"


def datapath(root: Path = ROOT) -> str:
    """Open vSwitch's type of the best datapath at hand: ``system`` (in the kernel) or ``netdev``."""
    return "system" if feature("openvswitch", root) in ("loaded", "built-in") else "netdev"


def tun_device(root: Path = ROOT) -> bool:
    """Whether ``/dev/net/tun`` is there, which the user-space switch opens for every bridge."""
    return (root / "dev/net/tun").exists()


def systemd(root: Path = ROOT) -> bool:
    """Whether systemd is what runs this machine (sd_booted(3))."""
    return (root / "run/systemd/system").is_dir()


def sysctls(root: Path = ROOT) -> dict[str, str | None]:
    """The settings in ``SYSCTLS``."""
    return {key: _word(root, f"proc/sys/{key.replace('.', '/')}") for key in SYSCTLS}


def clock_source(root: Path = ROOT) -> str | None:
    """What the kernel tells the time by."""
    return _word(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")


def steal_ratio(root: Path = ROOT) -> float | None:
    """CPU time that the hypervisor gave to others, as a ratio of all time since boot (proc(5))."""
    match = re.match(r"cpu +((?:\d+ ?)+)", _read(root, "proc/stat") or "")
    ticks = [int(word) for word in match[1].split()[:8]] if match else []
    total = sum(ticks)
    return ticks[7] / total if len(ticks) == 8 and total else None


def free_bytes(directory: Path) -> int:
    """Space for us on the file system of ``directory``, or of its nearest parent that exists."""
    while not directory.exists():
        directory = directory.parent
    return shutil.disk_usage(directory).free


def fingerprint(root: Path = ROOT) -> dict[str, Any]:
    """Everything about the machine that can change a result: the ``host`` of a run's manifest.

    JSON-able, with stable keys; it holds no host name, no user name, no address and no path.
    """
    processor, groups = cpu(root), cgroup(root)
    versions = {name: program_version(name) for name in PROGRAMS}
    return {
        "os": operating_system(root),
        "kernel": kernel(root),
        "machine": platform.machine(),
        "cpu_model": processor.model,
        "cores": processor.cores,
        "governor": processor.governor,
        "virtual": processor.virtual,
        "memory_bytes": memory_bytes(root),
        "cgroup": groups.mode,
        "cgroup_version": groups.version,
        "openvswitch": versions["ovs-vswitchd"],
        "iperf3": versions["iperf3"],
        "prometheus": versions["prometheus"],
        "programs": versions,
        "python": platform.python_version(),
        "libraries": {name: library_version(name) for name in LIBRARIES},
        "features": {module: feature(module, root) for module in FEATURES},
        "systemd": systemd(root),
        "sysctls": sysctls(root),
        "clock_source": clock_source(root),
        "steal_ratio_since_boot": steal_ratio(root),
    }


def _read(root: Path, name: str) -> str | None:
    try:
        return (root / name).read_text(encoding="utf-8", errors="replace")
    except OSError:  # absent, or not for this user: unknown either way
        return None


def _word(root: Path, name: str) -> str | None:
    text = _read(root, name)
    return text.strip() if text is not None else None


def _lists(root: Path, index: str, module: str) -> bool:
    pattern = rf"(?:^|/){module}\.ko(?:\.\w+)?(?::|$)"
    return re.search(pattern, _read(root, index) or "", re.MULTILINE) is not None


def _kernel_options(root: Path) -> set[str]:
    packed = root / "proc/config.gz"
    if packed.is_file():
        return set(gzip.decompress(packed.read_bytes()).decode(errors="replace").splitlines())
    return set((_read(root, f"boot/config-{kernel(root)}") or "").splitlines())
