"""Builds the plan of a lab from its spec."""

from __future__ import annotations

from testbedctl.backends.local.fabric import cables, switches
from testbedctl.backends.local.limits import check
from testbedctl.backends.local.plan import (
    FABRIC,
    MANAGEMENT,
    TRANSPORT,
    UNDERLAY_MTU,
    Bridge,
    Cable,
    End,
    Node,
    Plan,
    ServicePlan,
    Switch,
    Tunnel,
    VnfPlan,
    tunnel_port,
    van_port,
    vdpi_port,
)
from testbedctl.spec.testbed import Testbed


def plan(testbed: Testbed, lab: str | None = None) -> Plan:
    """Resolve names, addresses, cables, tunnels and switches of a lab (by default named as its spec)."""
    lab = testbed.name if lab is None else lab
    check(testbed, lab)
    vnfs = _vnfs(testbed)
    services = _services(testbed)
    nodes = _nodes(testbed, lab, vnfs)
    return Plan(
        lab=lab,
        testbed=testbed,
        nodes=nodes,
        cables=(*_management(nodes), *_access(vnfs, services), *_underlay(vnfs, services), *cables(testbed)),
        tunnels=_tunnels(vnfs, services),
        switches=(
            *_vans(vnfs, services),
            *_vdpis(vnfs, services),
            *_transport(vnfs, services),
            *switches(testbed),
        ),
        vnfs=vnfs,
        services=services,
    )


def _vnfs(testbed: Testbed) -> dict[str, VnfPlan]:
    found = {}
    for service_name, service in testbed.services.items():
        for name, vnf in service.vnfs.items():
            allotted = sum(
                testbed.flavours[v.flavour].vcpus for v in service.vnfs.values() if v.domain == vnf.domain
            )
            found[f"{service_name}/{name}"] = VnfPlan(
                key=f"{service_name}/{name}",
                service=service_name,
                name=name,
                spec=vnf,
                flavour=testbed.flavours[vnf.flavour],
                thresholds=vnf.thresholds or service.sla.thresholds,
                sla=service.sla,
                slice_cpu_cores=allotted,
            )
    return found


def _services(testbed: Testbed) -> dict[str, ServicePlan]:
    found = {}
    for index, (name, service) in enumerate(testbed.services.items(), 1):
        first = {v.type: k for k, v in reversed(service.vnfs.items())}
        found[name] = ServicePlan(
            name=name,
            index=index,
            vni=service.vni,
            van=f"{name}/{first['van']}",
            vdpi=f"{name}/{first['vdpi']}",
            vsre=f"{name}/{first['vsre']}",
            cameras=f"{name}/cameras",
        )
    return found


def _nodes(testbed: Testbed, lab: str, vnfs: dict[str, VnfPlan]) -> dict[str, Node]:
    def netns(key: str) -> str:
        return f"tbc.{lab}.{key.replace('/', '.')}"

    def group(key: str) -> str:
        return f"testbedctl/{lab}/{key.replace('/', '.')}"

    nodes: dict[str, Node] = {}
    if vnfs:
        nodes[MANAGEMENT] = Node(MANAGEMENT, "mgmt", netns(MANAGEMENT), group(MANAGEMENT), "10.255.0.1")
        nodes[TRANSPORT] = Node(TRANSPORT, "transport", netns(TRANSPORT), group(TRANSPORT))
    keys: list[tuple[str, str]] = [(key, vnf.spec.type) for key, vnf in vnfs.items()]
    keys += [(f"{service}/cameras", "cameras") for service in testbed.services]
    for number, (key, kind) in enumerate(keys, 2):
        nodes[key] = Node(key, kind, netns(key), group(key), f"10.255.{number // 256}.{number % 256}")
    if testbed.switches:
        nodes[FABRIC] = Node(FABRIC, "fabric", netns(FABRIC), group(FABRIC))
    for name in testbed.hosts:
        nodes[name] = Node(name, "host", netns(name))
    return nodes


def _management(nodes: dict[str, Node]) -> list[Cable]:
    return [
        Cable(
            End(node.key, "mgmt0", None, (f"{node.address}/16",)),
            End(MANAGEMENT, f"port{number}"),
        )
        for number, node in enumerate((n for n in nodes.values() if n.address and n.kind != "mgmt"), 1)
    ]


def _vdpi_keys(vnfs: dict[str, VnfPlan]) -> list[str]:
    return [key for key, vnf in vnfs.items() if vnf.spec.type == "vdpi"]


def _access(vnfs: dict[str, VnfPlan], services: dict[str, ServicePlan]) -> list[Cable]:
    cables = []
    for service in services.values():
        cables.append(
            Cable(
                End(
                    service.cameras, service.camera_interface, service.camera_mac, (f"{service.gateway}/16",)
                ),
                End(service.van, "cameras"),
            )
        )
        for number, vdpi in enumerate(_vdpi_keys(vnfs), 1):
            cables.append(Cable(End(service.van, vdpi_port(number)), End(vdpi, van_port(service.index))))
    return cables


def _underlay(vnfs: dict[str, VnfPlan], services: dict[str, ServicePlan]) -> list[Cable]:
    cables = [
        Cable(End(vdpi, "core0", None, (f"10.254.1.{n}/16",)), End(TRANSPORT, f"vdpi{n}"), mtu=UNDERLAY_MTU)
        for n, vdpi in enumerate(_vdpi_keys(vnfs), 1)
    ]
    cables += [
        Cable(
            End(s.vsre, "edge0", None, (f"10.254.2.{s.index}/16",)),
            End(TRANSPORT, f"vsre{s.index}"),
            mtu=UNDERLAY_MTU,
        )
        for s in services.values()
    ]
    return cables


def _tunnels(vnfs: dict[str, VnfPlan], services: dict[str, ServicePlan]) -> tuple[Tunnel, ...]:
    tunnels = []
    vdpis = _vdpi_keys(vnfs)
    for service in services.values():
        port, vsre = tunnel_port(service.index), f"10.254.2.{service.index}"
        for number, vdpi in enumerate(vdpis, 1):
            tunnels.append(Tunnel(vdpi, port, service.vni, f"10.254.1.{number}", vsre))
        home = f"10.254.1.{vdpis.index(service.vdpi) + 1}"
        tunnels.append(
            Tunnel(service.vsre, port, service.vni, vsre, home, service.sink_mac, (f"{service.sink}/16",))
        )
    return tuple(tunnels)


def _vans(vnfs: dict[str, VnfPlan], services: dict[str, ServicePlan]) -> list[Switch]:
    ports = ("cameras", *(vdpi_port(n) for n in range(1, len(_vdpi_keys(vnfs)) + 1)))
    return [Switch(s.van, (Bridge("br0", ports, s.dpid),), controlled=True) for s in services.values()]


def _vdpis(vnfs: dict[str, VnfPlan], services: dict[str, ServicePlan]) -> list[Switch]:
    """A vDPI forwards each vAN's traffic into its own service's tunnel and nowhere else: isolation by VNI."""
    ports: list[str] = []
    flows = []
    for service in services.values():
        ports += [van_port(service.index), tunnel_port(service.index)]
        access, tunnel = len(ports) - 1, len(ports)
        flows += [
            f"priority=100,in_port={access},actions={tunnel}",
            f"priority=100,in_port={tunnel},actions={access}",
        ]
    return [Switch(vdpi, (Bridge("br0", tuple(ports)),), flows=tuple(flows)) for vdpi in _vdpi_keys(vnfs)]


def _transport(vnfs: dict[str, VnfPlan], services: dict[str, ServicePlan]) -> list[Switch]:
    """The network between edge and core: a learning switch of its own process (§6: OVS between the NFVIs).

    Its socket's ring takes what a vDPI sends, so that the way on to the sink is not billed to the vDPI.
    """
    if not services:
        return []
    ports = tuple(c.b.interface for c in _underlay(vnfs, services))
    return [Switch(TRANSPORT, (Bridge("br0", ports),))]
