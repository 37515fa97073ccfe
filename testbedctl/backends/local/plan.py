"""From a testbed's spec to the names, addresses and cables of the local backend. Pure; nothing is created.

Every interface lives inside a namespace of the lab from the moment it is made, so the machine's own namespace
sees none of them. Addresses: management 10.255.0.0/16, transport (the VXLAN underlay) 10.254.0.0/16, service
*i* 10.*i*.0.0/16 with its sinks in 10.*i*.0.0/20 and its cameras in 10.*i*.16.0/20.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from testbedctl.errors import UsageError
from testbedctl.spec.testbed import Flavour, Sla, Testbed, Thresholds, Vnf
from testbedctl.units import MIB

MANAGEMENT = "mgmt"
TRANSPORT = "transport"
FABRIC = "fabric"
MANAGEMENT_PREFIX = "10.255.0.0/16"
UNDERLAY_MTU = 1600
CAMERA_PORT = 5004  # IANA avt-profile-1, RTP media: what a camera would send to
MAX_SERVICES = 199
MAX_CAMERAS = 4094


@dataclass(frozen=True)
class Node:
    """A namespace of the lab; VNFs and the management node also have a control group."""

    key: str
    kind: str  # van, vdpi, vsre, vwapp, command, cameras, mgmt, transport, fabric, host
    netns: str
    group: str | None = None
    address: str | None = None  # in the management network


@dataclass(frozen=True)
class End:
    """One end of a cable."""

    node: str
    interface: str
    mac: str | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cable:
    """A veth pair, with a rate (bits per second) and a delay (seconds) where the spec asks for them."""

    a: End
    b: End
    mtu: int = 1500
    rate_bps: float | None = None
    delay_s: float | None = None


@dataclass(frozen=True)
class Tunnel:
    """One end of a VXLAN network (RFC 7348)."""

    node: str
    interface: str
    vni: int
    local: str
    remote: str
    mac: str | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bridge:
    """An Open vSwitch bridge: its ports in the order of their OpenFlow numbers, from 1."""

    name: str
    ports: tuple[str, ...] = ()
    dpid: str | None = None


@dataclass(frozen=True)
class Switch:
    """An Open vSwitch instance and what it carries. ``flows`` are installed where no controller does it."""

    node: str
    bridges: tuple[Bridge, ...]
    controlled: bool = False
    flows: tuple[str, ...] = ()


@dataclass(frozen=True)
class VnfPlan:
    """A VNF with everything resolved from its flavour and its service's SLA."""

    key: str
    service: str
    name: str
    spec: Vnf
    flavour: Flavour
    thresholds: Thresholds
    sla: Sla
    slice_cpu_cores: float  # CPU allotted to its service in its domain


@dataclass(frozen=True)
class ServicePlan:
    """Names and addresses of one network service."""

    name: str
    index: int
    vni: int
    van: str
    vdpi: str  # the first one: the home of its cameras
    vsre: str
    cameras: str
    camera_interface: str = "cam0"

    @property
    def camera_prefix(self) -> str:
        """Addresses of the service's cameras."""
        return f"10.{self.index}.16.0/20"

    @property
    def sink_prefix(self) -> str:
        """Addresses at which the service's vSRE receives."""
        return f"10.{self.index}.0.0/20"

    @property
    def sink(self) -> str:
        """The vSRE's own address, which answers pings."""
        return f"10.{self.index}.0.1"

    @property
    def gateway(self) -> str:
        """The camera node's own address."""
        return f"10.{self.index}.16.1"

    @property
    def camera_mac(self) -> str:
        """Link address of the camera node."""
        return f"02:01:00:00:00:{self.index:02x}"

    @property
    def sink_mac(self) -> str:
        """Link address of the vSRE."""
        return f"02:02:00:00:00:{self.index:02x}"

    @property
    def dpid(self) -> str:
        """Datapath id of the vAN."""
        return f"{self.index:016x}"

    def camera_address(self, number: int) -> tuple[str, str, int]:
        """Source, destination and port of camera ``number`` (from 1)."""
        if not 1 <= number <= MAX_CAMERAS - 1:
            raise UsageError(
                f"camera {number} of {self.name}: a service has at most {MAX_CAMERAS - 1} cameras"
            )
        source = IPv4Address(f"10.{self.index}.16.1") + number
        destination = IPv4Address(f"10.{self.index}.0.1") + number
        return str(source), str(destination), CAMERA_PORT


@dataclass(frozen=True)
class Plan:
    """A lab, resolved."""

    lab: str
    testbed: Testbed
    nodes: dict[str, Node]
    cables: tuple[Cable, ...]
    tunnels: tuple[Tunnel, ...]
    switches: tuple[Switch, ...]
    vnfs: dict[str, VnfPlan]
    services: dict[str, ServicePlan]

    @property
    def group(self) -> str:
        """The control group under which everything of the lab runs."""
        return f"testbedctl/{self.lab}"

    def of_type(self, kind: str) -> list[Node]:
        """Nodes of one kind, in the order of the spec."""
        return [n for n in self.nodes.values() if n.kind == kind]

    def vdpi_number(self, key: str) -> int:
        """The number of a vDPI among all of the edge (from 1), as its ports and addresses count it."""
        return [n.key for n in self.of_type("vdpi")].index(key) + 1

    def addresses(self, key: str) -> dict[str, list[str]]:
        """The addresses of a node, with the lengths of their prefixes, by interface."""
        ends = [end for cable in self.cables for end in (cable.a, cable.b)]
        ends += [End(t.node, t.interface, None, t.addresses) for t in self.tunnels]
        return {end.interface: list(end.addresses) for end in ends if end.node == key and end.addresses}

    def node(self, name: str) -> Node:
        """A node by its key, or by the last part of it where that is unique."""
        if name in self.nodes:
            return self.nodes[name]
        matches = [n for n in self.nodes.values() if n.key.rpartition("/")[2] == name]
        if len(matches) == 1:
            return matches[0]
        known = ", ".join(self.nodes)
        problem = "is more than one node" if matches else "is not a node"
        raise UsageError(f"{name!r} {problem} of the lab {self.lab}", hint=f"nodes: {known}")


def vdpi_port(number: int) -> str:
    """Name of a vAN's port towards the ``number``-th vDPI of the edge (from 1)."""
    return f"vdpi{number}"


def van_port(number: int) -> str:
    """Name of a vDPI's port towards the ``number``-th service's vAN (from 1)."""
    return f"van{number}"


def tunnel_port(number: int) -> str:
    """Name of the VXLAN interface of the ``number``-th service (from 1)."""
    return f"vxlan{number}"


def memory_limit_bytes(flavour: Flavour) -> int:
    """Memory limit of a VNF in bytes."""
    return flavour.ram_mib * MIB
