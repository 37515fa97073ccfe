"""What is linked to what in a testbed: the nodes and edges that its pictures show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from testbedctl.spec.testbed import Service, Testbed, Vnf

NodeKind = Literal["cameras", "van", "vdpi", "vsre", "vwapp", "command", "host", "switch"]
EdgeKind = Literal["access", "tunnel", "page", "cable"]


@dataclass(frozen=True)
class Node:
    """A node of a picture: ``id`` is ``service/vnf`` or the name of a host or switch."""

    id: str
    kind: NodeKind
    title: str
    detail: str
    domain: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class Edge:
    """A link from ``source`` to ``target`` (ids). ``service`` is the one whose traffic it carries.

    ``access`` leads from the cameras to a vAN and on to vDPIs, ``tunnel`` is VXLAN from a vDPI to a vSRE,
    ``page`` what a vWapp shows, ``cable`` a link between hosts and switches. ``shared``: it carries traffic
    only while the vDPI of another service helps out.
    """

    source: str
    target: str
    kind: EdgeKind
    label: str = ""
    service: str | None = None
    shared: bool = False


@dataclass(frozen=True)
class Topology:
    """All nodes and edges, in the order of the file."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def topology(testbed: Testbed) -> Topology:
    """The nodes and edges of a testbed (the predictive-slicing paper's Figure 11, with VXLAN as in §8.1)."""
    nodes = [node for name in testbed.services for node in _service_nodes(testbed, name)]
    nodes += [Node(name, "host", name, "host") for name in testbed.hosts]
    nodes += [Node(name, "switch", name, "switch") for name in testbed.switches]
    edges = [edge for name in testbed.services for edge in _service_edges(testbed, name)]
    for link in testbed.links:
        rate = [f"{link.rate_mbps:g} Mb/s"] if link.rate_mbps else []
        delay = [f"{link.delay_ms:g} ms"] if link.delay_ms else []
        edges.append(Edge(link.ends[0], link.ends[1], "cable", ", ".join(rate + delay)))
    return Topology(tuple(nodes), tuple(edges))


def vnfs_of(service: Service, kind: str) -> list[str]:
    """The names of a service's VNFs of one function, in the order of the file."""
    return [name for name, vnf in service.vnfs.items() if vnf.type == kind]


def _service_nodes(testbed: Testbed, name: str) -> Iterator[Node]:
    yield Node(f"{name}/cameras", "cameras", "cameras", name, service=name)
    for vnf_name, vnf in testbed.services[name].vnfs.items():
        yield Node(f"{name}/{vnf_name}", vnf.type, vnf_name, _detail(testbed, vnf), vnf.domain, name)


def _detail(testbed: Testbed, vnf: Vnf) -> str:
    """What a reader wants to know of a VNF at a glance: its function, class and CPU quota."""
    spelled = {"van": "vAN", "vdpi": "vDPI", "vsre": "vSRE", "vwapp": "vWapp"}.get(vnf.type, vnf.type)
    kind = f"{spelled} {vnf.vnf_class}" if vnf.type == "vdpi" else spelled
    return f"{kind} · {testbed.flavours[vnf.flavour].vcpus:g} vCPU"


def _service_edges(testbed: Testbed, name: str) -> Iterator[Edge]:
    service = testbed.services[name]
    van, vsre = (f"{name}/{vnfs_of(service, kind)[0]}" for kind in ("van", "vsre"))
    yield Edge(f"{name}/cameras", van, "access", service=name)
    for other_name, other in testbed.services.items():
        for vdpi in vnfs_of(other, "vdpi"):
            key = f"{other_name}/{vdpi}"
            shared = other_name != name
            yield Edge(van, key, "access", service=name, shared=shared)
            yield Edge(key, vsre, "tunnel", f"VNI {service.vni}", service=name, shared=shared)
    for vwapp in vnfs_of(service, "vwapp"):
        yield Edge(vsre, f"{name}/{vwapp}", "page", service=name)
