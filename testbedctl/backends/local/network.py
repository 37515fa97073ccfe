"""Creates the namespaces, cables and tunnels of a plan."""

from __future__ import annotations

from collections import defaultdict

from testbedctl.backends.local.plan import (
    CAMERA_PORT,
    MANAGEMENT,
    Cable,
    End,
    Plan,
    ServicePlan,
    Tunnel,
    tunnel_port,
)
from testbedctl.errors import HostUnfit
from testbedctl.host import netns
from testbedctl.host.interface import Interfaces, quieten
from testbedctl.traffic.iperf import DATA_TOS

CONTROL_TABLE = 100
"""Routing table that leads over the management network."""


def create(plan: Plan) -> None:
    """Make everything of the plan that is kernel networking; the namespaces must not exist yet."""
    owned = {key: node.netns for key, node in plan.nodes.items()}
    netns.batch([f"netns add {name}" for name in owned.values()])
    for name in owned.values():
        with netns.inside(name):
            quieten()
    netns.batch([_cable(cable, owned) for cable in plan.cables])
    if plan.vnfs:
        _bridge_management(plan)
    for tunnel in plan.tunnels:
        netns.batch([_tunnel(tunnel)], namespace=owned[tunnel.node])
    _bring_up(plan)
    for service in plan.services.values():
        _route_service(plan, service)
    for cable in plan.cables:
        _shape(cable, owned)


def _cable(cable: Cable, owned: dict[str, str]) -> str:
    def end(end: End, *, first: bool) -> str:
        mac = f" address {end.mac}" if end.mac else ""
        kind = " type veth" if first else ""
        return f"name {end.interface}{mac} mtu {cable.mtu} netns {owned[end.node]}{kind}"

    return f"link add {end(cable.a, first=True)} peer {end(cable.b, first=False)}"


def _tunnel(tunnel: Tunnel) -> str:
    mac = f" address {tunnel.mac}" if tunnel.mac else ""
    return (
        f"link add {tunnel.interface}{mac} type vxlan id {tunnel.vni} local {tunnel.local} "
        f"remote {tunnel.remote} dstport 4789 nolearning noudpcsum"
    )


def _bridge_management(plan: Plan) -> None:
    """The management network is a bridge of the kernel: nothing is measured there."""
    ports = [c.b.interface for c in plan.cables if c.b.node == MANAGEMENT]
    lines = ["link add br0 type bridge", *(f"link set {p} master br0" for p in ports)]
    netns.batch(lines, namespace=plan.nodes[MANAGEMENT].netns)


def _bring_up(plan: Plan) -> None:
    interfaces: dict[str, list[End]] = defaultdict(list)
    for cable in plan.cables:
        for end in (cable.a, cable.b):
            interfaces[end.node].append(end)
    for tunnel in plan.tunnels:
        interfaces[tunnel.node].append(End(tunnel.node, tunnel.interface, None, tunnel.addresses))
    if plan.vnfs:
        address = plan.nodes[MANAGEMENT].address
        interfaces[MANAGEMENT].append(End(MANAGEMENT, "br0", None, (f"{address}/16",)))
    for key, node in plan.nodes.items():
        with netns.inside(node.netns), Interfaces() as control:
            control.up("lo")
            for end in interfaces[key]:
                control.disable_offloads(end.interface)
                for cidr in end.addresses:
                    control.set_address(end.interface, cidr)
                control.up(end.interface)


def _route_service(plan: Plan, service: ServicePlan) -> None:
    """Static neighbours both ways; any address of the prefixes is local.

    Of a camera's traffic only the measured data, marked by its type of service, takes the data path. What
    else iperf3 exchanges (control connection, greetings, acknowledgements) takes the management network:
    a stream that starts under overload must not fail because its one greeting was lost.
    """
    cameras, vsre = plan.nodes[service.cameras], plan.nodes[service.vsre]
    interface, tunnel = service.camera_interface, tunnel_port(service.index)
    towards = [f"to {service.sink_prefix} ipproto {kind} dport {CAMERA_PORT}" for kind in ("udp", "tcp")]
    netns.batch(
        [
            f"route add local {service.camera_prefix} dev lo",
            f"neigh replace {service.sink} lladdr {service.sink_mac} dev {interface} nud permanent",
            f"route replace {service.sink_prefix} via {service.sink} dev {interface} src {service.gateway}",
            f"route add {service.sink_prefix} via {vsre.address} dev mgmt0 table {CONTROL_TABLE}",
            *(f"rule add {match} tos {DATA_TOS:#x} lookup main priority 89" for match in towards),
            *(f"rule add {match} lookup {CONTROL_TABLE} priority 90" for match in towards),
        ],
        namespace=cameras.netns,
    )
    back = [f"to {service.camera_prefix} ipproto {kind} sport {CAMERA_PORT}" for kind in ("udp", "tcp")]
    netns.batch(
        [
            f"route add local {service.sink_prefix} dev lo",
            f"neigh replace {service.gateway} lladdr {service.camera_mac} dev {tunnel} nud permanent",
            f"route replace {service.camera_prefix} via {service.gateway} dev {tunnel} src {service.sink}",
            f"route add {service.camera_prefix} via {cameras.address} dev mgmt0 table {CONTROL_TABLE}",
            *(f"rule add {match} lookup {CONTROL_TABLE} priority 90" for match in back),
        ],
        namespace=vsre.netns,
    )


def _shape(cable: Cable, owned: dict[str, str]) -> None:
    """Rate by a token bucket, delay by netem, on both ends."""
    for end in (cable.a, cable.b):
        if cable.delay_s:
            limit = f" rate {cable.rate_bps:.0f}bit" if cable.rate_bps else ""
            line = f"qdisc add dev {end.interface} root netem delay {cable.delay_s * 1e6:.0f}us{limit}"
        elif cable.rate_bps:
            burst = max(16_000, int(cable.rate_bps / 8 / 250))  # at least what one timer tick lets through
            bucket = f"tbf rate {cable.rate_bps:.0f}bit burst {burst} latency 50ms"
            line = f"qdisc add dev {end.interface} root {bucket}"
        else:
            continue
        try:
            netns.batch([line], tool="tc", namespace=owned[end.node])
        except netns.CommandFailed as error:
            what = "delay" if cable.delay_s else "limit the rate of"
            raise HostUnfit(
                f"this kernel cannot {what} the link {cable.a.node} – {cable.b.node}: {error.message}",
                hint="run 'testbedctl doctor', or leave delay_ms and rate_mbps out of the spec",
            ) from error
