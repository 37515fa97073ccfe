"""One VNF: of which type it is, what it is given and where it goes, alone or beside the VNFs of a testbed."""

from __future__ import annotations

from dataclasses import dataclass

from testbedctl.spec.assignment import class_for, class_of, domain_for, lack, performance
from testbedctl.spec.classes import Classes
from testbedctl.spec.resolution import MIB_PER_GIB
from testbedctl.spec.testbed import Testbed, VnfClass, Wishes


@dataclass(frozen=True)
class Placement:
    """What was found for one VNF, and why; ``domain`` is a kind of domain, or one of the testbed's."""

    vnf_class: VnfClass
    vcpus: float
    ram_gib: float
    domain: str
    reasons: tuple[str, ...]


def by_resources(classes: Classes, vcpus: float, ram_gib: float, testbed: Testbed | None) -> Placement:
    """First scenario of §5.1: resources → type → domain.

    Raises ``UsageError`` if no domain of the testbed does.
    """
    vnf_class, why = class_of(classes, vcpus, ram_gib)
    return _placed(classes, vnf_class, vcpus, ram_gib, None, testbed, why)


def by_wishes(classes: Classes, wishes: Wishes, testbed: Testbed | None) -> Placement:
    """Second scenario of §5.1: wishes → type → resources → domain.

    Raises ``UsageError`` if no type carries the bandwidth, or no domain does.
    """
    wished = performance(classes, wishes)
    vnf_class, why = class_for(classes, wished)
    given = classes.type_of(vnf_class)
    return _placed(classes, vnf_class, given.vcpus, given.ram_gib, wished.latency_ms, testbed, why)


def _placed(
    classes: Classes,
    vnf_class: VnfClass,
    vcpus: float,
    ram_gib: float,
    latency_ms: float | None,
    testbed: Testbed | None,
    why: str,
) -> Placement:
    def has_room(domain: str) -> bool:
        return testbed is None or not _lack(testbed, domain, vcpus, ram_gib)

    there = testbed.domains if testbed else list(classes.delays_ms)
    domain, because = domain_for(classes, vnf_class, latency_ms, there, has_room)
    given = f"a VNF of {vnf_class} has {vcpus:g} vCPU and {ram_gib:g} GiB"
    reasons = (why, because) if latency_ms is None else (why, given, because)
    return Placement(vnf_class, vcpus, ram_gib, domain, reasons)


def _lack(testbed: Testbed, domain: str, vcpus: float, ram_gib: float) -> str:
    """What a domain lacks to hold a further VNF beside those of the testbed."""
    there = [vnf for service in testbed.services.values() for vnf in service.vnfs.values()]
    held = [testbed.flavours[vnf.flavour] for vnf in there if vnf.domain == domain]
    return lack(
        testbed.capacity.get(domain),
        vcpus + sum(flavour.vcpus for flavour in held),
        ram_gib * MIB_PER_GIB + sum(flavour.ram_mib for flavour in held),
    )
