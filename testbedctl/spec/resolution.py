"""What a testbed file leaves out: flavours follow from wishes, classes from flavours, domains from classes.

A pure function from what is written to a whole testbed (§5.1 of the predictive-slicing paper). The access
function and the vDPIs of a service stand in one domain, so they are placed together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from testbedctl.errors import UsageError
from testbedctl.spec.assignment import Performance, class_for, class_of, domain_for, lack, performance
from testbedctl.spec.checks import Fault
from testbedctl.spec.classes import Classes
from testbedctl.spec.document import Where
from testbedctl.spec.testbed import (
    Flavour,
    Service,
    Testbed,
    Vnf,
    VnfClass,
    WrittenService,
    WrittenTestbed,
    WrittenVnf,
)

MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Choice:
    """What is known of one VNF (``service/vnf``), and why: one reason for each thing that was not written."""

    vnf: str
    vnf_class: VnfClass
    flavour: str
    vcpus: float
    ram_mib: int
    domain: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Resolution:
    """A whole testbed, the classes it follows, and how each of its VNFs came to be what it is."""

    testbed: Testbed
    classes: Classes
    choices: tuple[Choice, ...]

    @property
    def name(self) -> str:
        """The testbed's name."""
        return self.testbed.name


@dataclass
class _Draft:
    """A VNF on the way; ``wished`` is what its wishes came to."""

    written: WrittenVnf
    service: str
    name: str
    flavour: str
    allotted: Flavour
    vnf_class: VnfClass
    wished: Performance | None
    reasons: list[str]
    domain: str = ""

    @property
    def where(self) -> Where:
        return ("services", self.service, "vnfs", self.name)


@dataclass
class _Desk:
    """What the resolution of one testbed has so far."""

    written: WrittenTestbed
    classes: Classes
    flavours: dict[str, Flavour]
    drafts: list[_Draft] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def resolve(written: WrittenTestbed, classes: Classes) -> tuple[Resolution, list[Fault]]:
    """The whole testbed and what is wrong with it; the testbed is only to be used if nothing is.

    Flavours that follow from wishes are added as ``wish1``, ``wish2`` …
    """
    desk = _Desk(written, classes, dict(written.flavours))
    for name, service in written.services.items():
        desk.drafts += _drafts(desk, name, service)
    waiting = []
    for group in _groups(desk.drafts):
        named = next((draft for draft in group if draft.written.domain), None)
        if named is None:
            waiting.append(group)
        else:
            _settle(group, str(named.written.domain), f"{named.name} stands there")
    for group in waiting:  # after those that name a domain, so that room is what is really left
        _place(desk, group)
    desk.faults += [*_overfull(desk), *_too_far(desk)]
    choices = tuple(_choice(draft) for draft in desk.drafts)
    return Resolution(_testbed(desk), classes, choices), desk.faults


def _drafts(desk: _Desk, service: str, spec: WrittenService) -> Iterator[_Draft]:
    for name, vnf in spec.vnfs.items():
        try:
            yield (
                _wished(desk, service, name, vnf) if vnf.flavour is None else _given(desk, service, name, vnf)
            )
        except UsageError as error:
            where: Where = ("services", service, "vnfs", name, "wishes")
            desk.faults.append(Fault(where, error.message))


def _given(desk: _Desk, service: str, name: str, vnf: WrittenVnf) -> _Draft:
    """First scenario: resources → type. Wishes beside a flavour only have a say in the domain."""
    assert vnf.flavour is not None
    flavour = desk.flavours[vnf.flavour]
    vnf_class, why = class_of(desk.classes, flavour.vcpus, flavour.ram_mib / MIB_PER_GIB)
    reasons = [] if vnf.vnf_class else [f"class {vnf_class}: {why}"]
    wished = performance(desk.classes, vnf.wishes) if vnf.wishes else None
    return _Draft(vnf, service, name, vnf.flavour, flavour, vnf.vnf_class or vnf_class, wished, reasons)


def _wished(desk: _Desk, service: str, name: str, vnf: WrittenVnf) -> _Draft:
    """Second scenario: wishes → type → resources."""
    assert vnf.wishes is not None
    wished = performance(desk.classes, vnf.wishes)
    vnf_class, why = class_for(desk.classes, wished)
    vnf_class, why = (vnf.vnf_class, "") if vnf.vnf_class else (vnf_class, f"class {vnf_class}: {why}")
    given = desk.classes.type_of(vnf_class)
    if wished.bandwidth_mbps > given.bandwidth_mbps:
        raise UsageError(f"{vnf_class} carries {given.bandwidth_mbps:g} Mb/s, not {wished.bandwidth_mbps:g}")
    flavour = Flavour(
        vcpus=given.vcpus, ram_mib=round(given.ram_gib * MIB_PER_GIB), network_mbps=wished.bandwidth_mbps
    )
    label = _label(desk, flavour)
    resources = f"flavour {label}: a VNF of {vnf_class} has {given.vcpus:g} vCPU and {given.ram_gib:g} GiB"
    reasons = [why, resources] if why else [resources]
    return _Draft(vnf, service, name, label, flavour, vnf_class, wished, reasons)


def _label(desk: _Desk, flavour: Flavour) -> str:
    """The name of a flavour made from wishes: one for equal ones, none that the file has for others."""
    number = 1
    while (name := f"wish{number}") in desk.flavours:
        if desk.flavours[name] == flavour:
            return name
        number += 1
    desk.flavours[name] = flavour
    return name


def _groups(drafts: list[_Draft]) -> list[list[_Draft]]:
    """VNFs that are placed together: the vAN of a service with its vDPIs; every other one alone."""
    groups: dict[tuple[str, str], list[_Draft]] = {}
    for draft in drafts:
        access = draft.written.type in ("van", "vdpi")
        groups.setdefault((draft.service, "" if access else draft.name), []).append(draft)
    return [sorted(group, key=lambda draft: draft.written.type) for group in groups.values()]


def _place(desk: _Desk, group: list[_Draft]) -> None:
    """Give a group of which no member names a domain the one that follows from the class of its first."""
    delays = [draft.wished.latency_ms for draft in group if draft.wished]
    first = group[0]
    try:
        domain, why = domain_for(
            desk.classes,
            first.vnf_class,
            min(delays, default=None),
            desk.written.domains,
            lambda name: not _lacking(desk, name, group),
        )
    except UsageError as error:
        desk.faults.append(Fault(first.where, error.message, at_key=True))
        return
    _settle(group, domain, why)


def _settle(group: list[_Draft], domain: str, why: str) -> None:
    """Put every member that names no domain of its own into ``domain``."""
    for draft in group:
        draft.domain = draft.written.domain or domain
        if not draft.written.domain:
            draft.reasons.append(f"domain {domain}: {why}")


def _lacking(desk: _Desk, domain: str, more: list[_Draft]) -> str:
    """What a domain lacks to hold what it has and ``more``; nothing if it has room."""
    held = [draft for draft in desk.drafts if draft.domain == domain] + more
    vcpus, ram_mib = sum(d.allotted.vcpus for d in held), sum(d.allotted.ram_mib for d in held)
    return lack(desk.written.capacity.get(domain), vcpus, ram_mib)


def _overfull(desk: _Desk) -> Iterator[Fault]:
    for domain in desk.written.capacity:
        if lack := _lacking(desk, domain, []):
            yield Fault(("capacity", domain), f"domain {domain!r} is overfull: {lack}")


def _too_far(desk: _Desk) -> Iterator[Fault]:
    """A domain that is named, or shared with a VNF that names it, and that cannot keep a wished delay."""
    for draft in desk.drafts:
        delay_ms = desk.classes.delays_ms.get(draft.domain)
        if delay_ms and draft.wished and delay_ms > draft.wished.latency_ms:
            text = f"{draft.domain} is reached in {delay_ms:g} ms, not in {draft.wished.latency_ms:g}"
            yield Fault((*draft.where, "wishes"), text)


def _testbed(desk: _Desk) -> Testbed:
    services = {}
    for name, service in desk.written.services.items():
        vnfs = {draft.name: _vnf(draft) for draft in desk.drafts if draft.service == name}
        services[name] = Service.model_construct(**{**dict(service), "vnfs": vnfs})
    return Testbed.model_construct(**{**dict(desk.written), "flavours": desk.flavours, "services": services})


def _vnf(draft: _Draft) -> Vnf:
    known = {"flavour": draft.flavour, "domain": draft.domain, "vnf_class": draft.vnf_class}
    return Vnf.model_construct(**{**dict(draft.written), **known})


def _choice(draft: _Draft) -> Choice:
    return Choice(
        vnf=f"{draft.service}/{draft.name}",
        vnf_class=draft.vnf_class,
        flavour=draft.flavour,
        vcpus=draft.allotted.vcpus,
        ram_mib=draft.allotted.ram_mib,
        domain=draft.domain,
        reasons=tuple(draft.reasons),
    )
