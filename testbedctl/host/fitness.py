"""Whether this machine can carry a lab: what is there, what is missing, what it means, what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testbedctl.host import facts, paths
from testbedctl.host.programs import PROGRAMS, library_version, program_version
from testbedctl.units import GIB, human_bytes, percent

State = Literal["ok", "limited", "missing"]

NEEDS_ROOT = (
    ("up, down, exec, capture", "network namespaces, links and switches (net_admin, sys_admin, net_raw)"),
    ("up, stress", "CPU quotas and memory limits are written to control groups (dac_override)"),
    ("up", "the receive buffer of sockets (net.core.rmem_default) is raised, and put back by down"),
    ("setup.sh", "Debian packages are installed"),
)
"""What needs root, and why; everything else runs as any user."""

_LIBRARY_PURPOSE = {
    "nfstream": "no deep packet inspection",
    "os-ken": "no controller",
    "prometheus-api-client": "measurements cannot be read back",
}
_HAVE = ("loaded", "built-in")


@dataclass(frozen=True)
class Check:
    """One finding: ``missing`` stops a lab, ``limited`` does not; both have a meaning and a fix."""

    name: str
    state: State
    found: str
    meaning: str | None = None
    fix: str | None = None


def examine(root: Path = facts.ROOT) -> list[Check]:
    """Every finding about this machine, what a lab requires first."""
    return [
        _rights(root),
        _cgroup(root),
        *_links(root),
        *(_program(name) for name in PROGRAMS),
        *(_library(name) for name in _LIBRARY_PURPOSE),
        *_kernel_extras(root),
        *_machine(root),
        *_room(),
    ]


def fit(checks: list[Check]) -> bool:
    """Whether nothing that a lab requires is missing."""
    return all(check.state != "missing" for check in checks)


def _check(name: str, good: bool, found: str, otherwise: State, meaning: str, fix: str | None) -> Check:
    return Check(name, "ok", found) if good else Check(name, otherwise, found, meaning, fix)


def _rights(root: Path) -> Check:
    rights = facts.rights(root)
    found = f"uid {rights.uid}" + (f", without {', '.join(rights.missing)}" if rights.missing else "")
    fix = "start the container with --privileged" if rights.uid == 0 else "run it with sudo -E"
    meaning = "no lab can be started; validate, graph, report and runs work"
    return _check("root", not rights.missing, found, "missing", meaning, fix)


def _cgroup(root: Path) -> Check:
    groups = facts.cgroup(root)
    mode = "v1 (hybrid: v2 has no controllers)" if groups.mode == "hybrid" else groups.mode
    found = mode + (f" with {', '.join(groups.controllers)}" if groups.controllers else "")
    return _check(
        "control groups",
        groups.version > 0,
        found,
        "missing",
        f"no CPU quota or accounting per VNF: {', '.join(groups.missing)} lacking",
        "start the container with --privileged --cgroupns=host, or boot a kernel with these controllers",
    )


def _links(root: Path) -> Iterator[Check]:
    purposes = {
        "veth": "nodes cannot be linked",
        "vxlan": "no tunnel from edge to core",
        "tun": "no user-space switch",
    }
    for module, meaning in purposes.items():
        how = facts.feature(module, root)
        yield _check(module, how != "absent", how, "missing", meaning, "use a kernel that has it")
    device = facts.tun_device(root)
    fix = "start the container with --device /dev/net/tun, or run 'modprobe tun'"
    yield _check(
        "/dev/net/tun", device, "there" if device else "absent", "missing", "no user-space switch", fix
    )


def _program(name: str) -> Check:
    version, program = program_version(name), PROGRAMS[name]
    state: State = "limited" if program.optional else "missing"
    fix = f"apt-get install --no-install-recommends {program.package}   (or ./setup.sh install)"
    return _check(name, version is not None, version or "not found", state, program.without, fix)


def _library(name: str) -> Check:
    version = library_version(name)
    return _check(
        name,
        version is not None,
        version or "not found",
        "missing",
        _LIBRARY_PURPOSE[name],
        "./setup.sh install",
    )


def _kernel_extras(root: Path) -> Iterator[Check]:
    purposes = {
        "openvswitch": "plain switches run in user space, as the VNFs always do (no loss up to 900 Mb/s)",
        "sch_netem": "links cannot be given a delay",
    }
    for module, meaning in purposes.items():
        how = facts.feature(module, root)
        fix = f"modprobe {module}" if how == "loadable" else "use a kernel that has it (Debian's own does)"
        yield _check(f"{module} (kernel)", how in _HAVE, how, "limited", meaning, fix)


def _machine(root: Path) -> Iterator[Check]:
    cpu, memory, steal = facts.cpu(root), facts.memory_bytes(root) or 0, facts.steal_ratio(root)
    clock = facts.clock_source(root) or "unknown"
    meaning = "traffic, switches and telemetry share it: high rates measure the machine"
    yield _check(
        "CPU", cpu.cores >= 2, f"{cpu.cores} × {cpu.model or 'unknown'}", "limited", meaning, "use 2 cores"
    )
    governor = cpu.governor or ("up to the hypervisor" if cpu.virtual else "none")
    fix = "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
    calm = cpu.governor in (None, "performance")
    yield _check("CPU governor", calm, governor, "limited", "the clock changes while a trial runs", fix)
    stolen = "unknown" if steal is None else f"{percent(steal):.2f} % since boot"
    meaning = "neighbours take this machine's CPU: results scatter"
    yield _check("CPU steal", (steal or 0) < 0.01, stolen, "limited", meaning, "measure on a quieter machine")
    meaning = "the DPI engines and Prometheus may run out of it"
    yield _check("memory", memory >= 2 * GIB, human_bytes(memory), "limited", meaning, "use 2 GiB or more")
    fast = clock not in ("hpet", "acpi_pm", "jiffies")
    meaning = "reading the time is slow: jitter is overstated"
    yield _check("clock", fast, clock, "limited", meaning, "boot with clocksource=tsc")


def _room() -> Iterator[Check]:
    runs = Path(os.environ.get("TESTBEDCTL_RUNS") or "runs")
    for name, directory in (("disk for labs", paths.state_root()), ("disk for runs", runs)):
        free = facts.free_bytes(directory.absolute())
        meaning = "a long run may not fit; 'stress --dry-run' says what it takes"
        yield _check(name, free >= GIB, f"{human_bytes(free)} free", "limited", meaning, "free some space")
