"""What a model of one value cannot see: references, counts and uniqueness across a whole testbed.

The checks read plain data and pass over what has the wrong shape, so that they can tell their errors in
the same breath as those of the models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from testbedctl.errors import UsageError
from testbedctl.spec.document import Where
from testbedctl.spec.profile import Profile
from testbedctl.spec.quoting import did_you_mean, listed, nearest, quote
from testbedctl.spec.testbed import Testbed

_CHAIN = {"van": (1, 1), "vdpi": (1, None), "vsre": (1, 1), "vwapp": (0, 1)}
"""How many VNFs of a function a service has: at least, at most (Figure 11 of the paper)."""


@dataclass(frozen=True)
class Fault:
    """Something wrong at a path of the file; ``at_key`` when the key is meant and not its value."""

    path: Where
    text: str
    at_key: bool = False


def faults_of(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Every error of a testbed that concerns more than one of its values."""
    if not any(data.get(key) for key in ("services", "hosts", "switches")):
        yield Fault((), "a lab needs at least one of 'services', 'hosts' and 'switches'")
    yield from _repeated_domains(data)
    yield from _unknown_capacities(data)
    yield from _repeated_names(data)
    yield from _repeated_vnis(data)
    for name, service in _mapping(data, "services").items():
        yield from _service_faults(data, ("services", name), _as_mapping(service))
    yield from _link_faults(data)


def check_profile_fits(profile: Profile, testbed: Testbed) -> None:
    """Raise ``UsageError`` if the profile stresses a service that the testbed does not have."""
    services = list(testbed.services)
    if not services:
        raise UsageError(
            f"testbed {testbed.name!r} has no services: profile {profile.name!r} has nothing to stress",
            hint="add a service to the testbed; `testbedctl init` writes an example",
        )
    if profile.service is not None and profile.service not in testbed.services:
        raise UsageError(
            f"profile {profile.name!r} stresses service {profile.service!r}, "
            f"which testbed {testbed.name!r} does not have{did_you_mean(profile.service, services)}",
            hint=f"services of this testbed: {listed(services)}",
        )


def _repeated_domains(data: Mapping[str, Any]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, domain in enumerate(_list(data, "domains")):
        if isinstance(domain, str) and domain in seen:
            yield Fault(("domains", index), f"the domain {quote(domain)} is listed twice")
        seen.add(str(domain))


def _unknown_capacities(data: Mapping[str, Any]) -> Iterator[Fault]:
    known = _known_domains(data)
    for name in _mapping(data, "capacity"):
        if name not in known:
            text = f"there is no domain {quote(name)}; there are: {listed(known)}{did_you_mean(name, known)}"
            yield Fault(("capacity", name), text, at_key=True)


def _repeated_names(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Hosts, switches and services become namespaces and bridges of one lab: one name, one node."""
    first: dict[str, str] = {}
    for group in ("services", "switches", "hosts"):
        for name in _mapping(data, group):
            if name in first:
                text = f"the name {quote(name)} is also one of '{first[name]}'; names are unique in a lab"
                yield Fault((group, name), text, at_key=True)
            first.setdefault(name, group)


def _repeated_vnis(data: Mapping[str, Any]) -> Iterator[Fault]:
    owner: dict[int, str] = {}
    for name, service in _mapping(data, "services").items():
        vni = _as_mapping(service).get("vni")
        if not isinstance(vni, int) or isinstance(vni, bool):
            continue
        if vni in owner:
            text = f"VNI {vni} already belongs to service {quote(owner[vni])}; each service has its own"
            yield Fault(("services", name, "vni"), text)
        owner.setdefault(vni, name)


def _service_faults(data: Mapping[str, Any], path: Where, service: Mapping[str, Any]) -> Iterator[Fault]:
    vnfs = {name: _as_mapping(vnf) for name, vnf in _mapping(service, "vnfs").items()}
    known_domains = _known_domains(data)
    for name, vnf in vnfs.items():
        where = (*path, "vnfs", name)
        yield from _sizeless(where, vnf)
        yield from _unknown((*where, "flavour"), vnf, "flavour", list(_mapping(data, "flavours")))
        yield from _unknown((*where, "domain"), vnf, "domain", known_domains)
    if vnfs:
        yield from _chain_faults(path, vnfs, known_domains)
    for name, metric in _mapping(service, "metrics").items():
        yield from _unknown((*path, "metrics", name, "vnf"), _as_mapping(metric), "vnf", list(vnfs), "VNF")


def _sizeless(where: Where, vnf: Mapping[str, Any]) -> Iterator[Fault]:
    """Resources are given, or follow from wishes; a misspelled key is told as such."""
    sizes = ("flavour", "wishes")
    misspelled = any(nearest(key, sizes) for key, value in vnf.items() if value is not None)
    if all(vnf.get(key) is None for key in sizes) and not misspelled:
        yield Fault(where, f"VNF {quote(where[-1])} needs 'flavour' or 'wishes'", at_key=True)


def _chain_faults(path: Where, vnfs: Mapping[str, Mapping[str, Any]], domains: list[str]) -> Iterator[Fault]:
    """One vAN, vDPIs, one vSRE, perhaps a vWapp; the vDPIs beside the vAN."""
    by_type: dict[str, list[str]] = {}
    for name, vnf in vnfs.items():
        by_type.setdefault(str(vnf.get("type")), []).append(name)
    misspelled = not by_type.keys() <= {*_CHAIN, "command"}
    for function, (least, most) in _CHAIN.items():
        names = by_type.get(function, [])
        if len(names) < least and not misspelled:
            text = f"service {quote(path[-1])} has no VNF of type {function!r}; each service needs one"
            yield Fault((*path, "vnfs"), text, at_key=True)
        for extra in names[most:] if most is not None else []:
            text = f"a second VNF of type {function!r} beside {quote(names[0])}; a service has at most one"
            yield Fault((*path, "vnfs", extra), text, at_key=True)
    for van in by_type.get("van", [])[:1]:
        domain = vnfs[van].get("domain")
        for name in by_type.get("vdpi", []):
            if vnfs[name].get("domain") in domains and domain in domains and vnfs[name]["domain"] != domain:
                text = f"a vDPI stands in the domain of its vAN {quote(van)}, which is {quote(domain)}"
                yield Fault((*path, "vnfs", name, "domain"), text)


def _link_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    switches = _mapping(data, "switches")
    known = dict.fromkeys((*_mapping(data, "hosts"), *switches))
    joined = {name: name for name in switches}
    for index, link in enumerate(_list(data, "links")):
        ends = _list(_as_mapping(link), "ends")
        for position, end in enumerate(ends):
            if isinstance(end, str) and end not in known:
                text = f"{quote(end)} is neither a host nor a switch; there are: {listed(known)}"
                yield Fault(("links", index, "ends", position), text + did_you_mean(end, known))
        if len(ends) != 2 or not all(isinstance(end, str) for end in ends):
            continue
        if ends[0] == ends[1]:
            yield Fault(("links", index, "ends"), f"{quote(ends[0])} is linked to itself")
        elif ends[0] in switches and ends[1] in switches and not _join(joined, *ends):
            text = "closes a loop of switches; learning switches would flood it without end"
            yield Fault(("links", index, "ends"), text)


def _join(joined: dict[str, str], one: str, other: str) -> bool:
    """Unite the trees of two switches; False if they are in one tree already, so that a link is a loop."""
    roots = []
    for name in (one, other):
        while joined[name] != name:
            joined[name] = joined[joined[name]]
            name = joined[name]
        roots.append(name)
    joined[roots[1]] = roots[0]
    return roots[0] != roots[1]


def _unknown(
    path: Where, holder: Mapping[str, Any], key: str, known: list[str], noun: str = ""
) -> Iterator[Fault]:
    word = holder.get(key)
    if isinstance(word, str) and word not in known:
        text = (
            f"there is no {noun or key} {quote(word)}; there are: {listed(known)}{did_you_mean(word, known)}"
        )
        yield Fault(path, text)


def _known_domains(data: Mapping[str, Any]) -> list[str]:
    domains = _list(data, "domains") if "domains" in data else Testbed.model_fields["domains"].default
    return list(dict.fromkeys(domain for domain in domains if isinstance(domain, str)))


def _mapping(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return _as_mapping(holder.get(key))


def _as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(holder: Mapping[str, Any], key: str) -> list[Any]:
    value = holder.get(key)
    return value if isinstance(value, list) else []
