"""From resources or wishes to a type of VNF, and from a type to a domain (the paper's §5.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbedctl.errors import UsageError
from testbedctl.spec.classes import Classes, class_within
from testbedctl.spec.quoting import listed
from testbedctl.spec.testbed import Capacity, VnfClass, Wishes

CLASSES: tuple[VnfClass, ...] = ("T1", "T2", "T3")
_ROUNDING = 1e-9
"""Three times 0.1 core is a little more than 0.3."""


@dataclass(frozen=True)
class Performance:
    """Wishes with nothing left open: Mb/s, and the longest one-way delay in ms."""

    bandwidth_mbps: float
    latency_ms: float


def class_of(classes: Classes, vcpus: float, ram_gib: float) -> tuple[VnfClass, str]:
    """The type of given resources (first scenario), and why."""
    found = class_within(classes.limits, vcpus, ram_gib)
    (low_cpu, high_cpu), (low_ram, high_ram) = classes.limits.vcpus, classes.limits.ram_gib
    have = f"{vcpus:g} vCPU and {ram_gib:g} GiB are"
    why = {
        "T1": f"{have} at most {low_cpu:g} vCPU and {low_ram:g} GiB",
        "T2": f"{have} neither at most {low_cpu:g} and {low_ram:g} nor above {high_cpu:g} and {high_ram:g}",
        "T3": f"{have} above {high_cpu:g} vCPU and {high_ram:g} GiB",
    }
    return found, why[found]


def performance(classes: Classes, wishes: Wishes) -> Performance:
    """Wishes, completed with what the slice type asks for."""
    own = classes.slice_of(wishes.slice)
    return Performance(wishes.bandwidth_mbps or own.bandwidth_mbps, wishes.latency_ms or own.latency_ms)


def class_for(classes: Classes, wished: Performance) -> tuple[VnfClass, str]:
    """The smallest type that carries the wished bandwidth (second scenario), and why.

    Raises ``UsageError`` if none does.
    """
    for name in CLASSES:
        most = classes.type_of(name).bandwidth_mbps
        if wished.bandwidth_mbps <= most:
            wish = f"{wished.bandwidth_mbps:g} Mb/s"
            return name, f"{wish}: {name} is the smallest type that carries it (≤ {most:g})"
    raise UsageError(
        f"no type carries {wished.bandwidth_mbps:g} Mb/s; the largest, T3, carries {most:g} Mb/s",
        hint="wish for less, use several VNFs, or a classes file with a larger `bandwidth_mbps`",
    )


def lack(capacity: Capacity | None, vcpus: float, ram_mib: float) -> str:
    """What a domain lacks if so much is allotted in it; empty if nothing, as where no capacity is given."""
    if capacity and capacity.vcpus is not None and vcpus > capacity.vcpus + _ROUNDING:
        return f"{vcpus:g} vCPU are allotted, and it has {capacity.vcpus:g}"
    if capacity and capacity.ram_mib is not None and ram_mib > capacity.ram_mib + _ROUNDING:
        return f"{ram_mib:.0f} MiB are allotted, and it has {capacity.ram_mib}"
    return ""


def domain_for(
    classes: Classes,
    vnf_class: VnfClass,
    latency_ms: float | None,
    there: Sequence[str],
    has_room: Callable[[str], bool],
) -> tuple[str, str]:
    """The first domain of a type's list that is ``there``, is near enough and has room; and why.

    ``latency_ms``: longest one-way delay, or none. Raises ``UsageError`` if no domain does.
    """
    passed: list[str] = []
    for name in classes.type_of(vnf_class).domains:
        delay_ms = classes.delays_ms[name]
        if name not in there:
            passed.append(f"{name} is not in this testbed")
        elif latency_ms is not None and delay_ms > latency_ms:
            passed.append(f"{name} is reached in {delay_ms:g} ms, not in {latency_ms:g}")
        elif not has_room(name):
            passed.append(f"{name} has no room left")
        else:
            return name, "; ".join([*passed, f"{vnf_class} goes to {name}"])
    raise UsageError(
        f"no domain for a VNF of {vnf_class}: {'; '.join(passed)}",
        hint=f"name a domain yourself; there are: {listed(there)}",
    )
