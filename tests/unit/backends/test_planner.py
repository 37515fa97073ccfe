"""The plan of a lab: names, addresses, ports, and what the local backend cannot carry."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_interface
from itertools import pairwise
from typing import Any

import pytest

from testbedctl.backends.local.plan import MAX_CAMERAS, Plan
from testbedctl.backends.local.planner import plan
from testbedctl.errors import UsageError
from testbedctl.spec.loader import load_testbed
from testbedctl.spec.testbed import Testbed


def services(count: int, vdpis: int = 1) -> Testbed:
    """A testbed of so many services, with so many vDPIs each."""
    flavour = {"domain": "edge", "flavour": "f"}
    vnfs: dict[str, Any] = {"van": {"type": "van", **flavour}, "vsre": {"type": "vsre", **flavour}}
    vnfs |= {f"vdpi{n}": {"type": "vdpi", **flavour} for n in range(vdpis)}
    return Testbed.model_validate(
        {
            "name": "many",
            "flavours": {"f": {"vcpus": 1}},
            "services": {f"s{n}": {"vni": 1000 + n, "vnfs": vnfs} for n in range(count)},
        }
    )


def net(links: list[list[str]], *, hosts: str = "", switches: str = "") -> Testbed:
    """A testbed of plain hosts and switches."""
    return Testbed.model_validate(
        {
            "name": "net",
            "hosts": {name: {} for name in hosts.split()},
            "switches": {name: {} for name in switches.split()},
            "links": [{"ends": ends} for ends in links],
        }
    )


def interfaces(made: Plan) -> list[tuple[str, str]]:
    """Node and name of every interface; a bridge's own has its name."""
    ends = [(end.node, end.interface) for cable in made.cables for end in (cable.a, cable.b)]
    ends += [(tunnel.node, tunnel.interface) for tunnel in made.tunnels]
    return ends + [(switch.node, bridge.name) for switch in made.switches for bridge in switch.bridges]


@pytest.mark.parametrize("spec", ["slice-sharing", "four-vdpis", "line"])
def test_names_of_shipped_testbeds_carry_the_labs_name(spec: str) -> None:
    made = plan(load_testbed(spec), "mine")
    assert made.lab == "mine" and made.group == "testbedctl/mine"
    assert all(node.netns == f"tbc.mine.{key.replace('/', '.')}" for key, node in made.nodes.items())
    groups = [node.group for node in made.nodes.values() if node.group]
    assert all(group.startswith("testbedctl/mine/") for group in groups)
    assert len({*groups}) == len(groups)
    assert plan(load_testbed(spec)).lab == spec


@pytest.mark.parametrize(
    "made", [plan(services(199)), plan(services(2, 127)), plan(services(1))], ids=["wide", "deep", "one"]
)
def test_interfaces_are_unique_in_a_node_and_fit_the_kernel(made: Plan) -> None:
    found = interfaces(made)
    assert Counter(found).most_common(1)[0][1] == 1
    assert max(len(name) for _, name in found) <= 15
    assert {node for node, _ in found} <= set(made.nodes)


@pytest.mark.parametrize("made", [plan(services(199)), plan(services(2, 127))], ids=["wide", "deep"])
def test_addresses_are_valid_and_unique_in_their_network(made: Plan) -> None:
    ends = [end for cable in made.cables for end in (cable.a, cable.b)]
    addresses = [ip_interface(a) for end in ends for a in end.addresses]
    assert Counter(addresses).most_common(1)[0][1] == 1
    underlay = {str(a.ip) for a in addresses if a in ip_interface("10.254.0.0/16").network}
    for tunnel in made.tunnels:
        assert {tunnel.local, tunnel.remote} <= underlay
    macs = [end.mac for end in ends if end.mac]
    assert len({*macs}) == len(macs)


def test_each_service_has_its_own_vni_from_every_vdpi() -> None:
    made = plan(load_testbed("four-vdpis"))
    ends = Counter((tunnel.node, tunnel.vni) for tunnel in made.tunnels)
    vdpis = [node.key for node in made.of_type("vdpi")]
    assert len(vdpis) == 4
    for service in made.services.values():
        assert {node for node, vni in ends if vni == service.vni} == {*vdpis, service.vsre}
    assert set(ends.values()) == {1}


def test_every_van_is_linked_to_every_vdpi() -> None:
    made = plan(load_testbed("four-vdpis"))
    links = {(cable.a.node, cable.b.node) for cable in made.cables}
    for van in made.of_type("van"):
        for vdpi in made.of_type("vdpi"):
            assert (van.key, vdpi.key) in links
    switch = next(s for s in made.switches if s.node == "market/gate")
    assert switch.controlled and switch.bridges[0].ports == ("cameras", "vdpi1", "vdpi2", "vdpi3", "vdpi4")
    assert made.vdpi_number("school/scan") == 3


def test_a_vdpi_forwards_between_a_service_and_its_own_tunnel_only() -> None:
    made = plan(load_testbed("slice-sharing"))
    switch = next(s for s in made.switches if s.node == "service2/vdpi")
    ports = switch.bridges[0].ports
    assert ports == ("van1", "vxlan1", "van2", "vxlan2")
    assert set(switch.flows) == {
        f"priority=100,in_port={a},actions={b}" for a, b in ((1, 2), (2, 1), (3, 4), (4, 3))
    }


def test_a_slices_share_is_counted_per_domain() -> None:
    made = plan(load_testbed("slice-sharing"))
    assert made.vnfs["service1/vdpi"].slice_cpu_cores == pytest.approx(1.35)
    assert made.vnfs["service1/vsre"].slice_cpu_cores == pytest.approx(2.5)


def test_cameras_have_addresses_of_their_own() -> None:
    service = plan(services(199)).services["s198"]
    assert service.camera_address(1) == ("10.199.16.2", "10.199.0.2", 5004)
    last = service.camera_address(MAX_CAMERAS - 1)
    assert last[:2] == ("10.199.31.254", "10.199.15.254")
    for number in (0, MAX_CAMERAS):
        with pytest.raises(UsageError, match="at most"):
            service.camera_address(number)


@pytest.mark.parametrize("testbed", [services(200), services(1, 255)], ids=["services", "vdpis"])
def test_what_does_not_fit_is_refused(testbed: Testbed) -> None:
    with pytest.raises(UsageError, match=r"cannot carry this testbed: 2.. (services|vDPIs) are more than"):
        plan(testbed)


@pytest.mark.parametrize("name", ["a;reboot", "../x", "x" * 32, "<b>", "", "x\n", "Big", "1x", "a.b"])
def test_a_labs_name_is_checked_wherever_it_comes_from(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a lab"):
        plan(services(1), name)


def test_names_of_nodes_that_we_add_are_reserved() -> None:
    camera_vnf = services(1).model_dump(by_alias=True)
    camera_vnf["services"]["s0"]["vnfs"]["cameras"] = camera_vnf["services"]["s0"]["vnfs"]["vdpi0"]
    with pytest.raises(UsageError, match="'s0/cameras'"):
        plan(Testbed.model_validate(camera_vnf))
    with pytest.raises(UsageError, match="'fabric'"):
        plan(net([["fabric", "s"]], hosts="fabric", switches="s"))
    both = {**services(1).model_dump(by_alias=True), "hosts": {"mgmt": {}, "transport": {}}}
    with pytest.raises(UsageError, match=r"'mgmt'.*'transport'"):
        plan(Testbed.model_validate(both))
    assert set(plan(net([], hosts="mgmt fabric")).nodes) == {"mgmt", "fabric"}


def test_hosts_behind_switches_share_a_prefix() -> None:
    made = plan(load_testbed("line"))
    assert made.addresses("left") == {"eth0": ["10.200.0.1/16"]}
    assert made.addresses("right") == {"eth0": ["10.200.0.2/16"]}
    assert made.switches[0].bridges[0].ports == ("l1b", "l2a")
    assert made.switches[0].bridges[1].ports == ("l2b", "l3a")


def test_each_link_between_hosts_is_a_prefix() -> None:
    made = plan(net([["a", "b"], ["b", "c"]], hosts="a b c"))
    assert made.addresses("a") == {"eth0": ["10.200.0.1/16"]}
    assert made.addresses("b") == {"eth0": ["10.200.0.2/16"], "eth1": ["10.201.0.2/16"]}
    assert made.addresses("c") == {"eth0": ["10.201.0.3/16"]}


def test_switches_that_are_joined_late_are_one_network() -> None:
    links = [["a", "s"], ["b", "t"], ["c", "d"], ["s", "t"]]
    made = plan(net(links, hosts="a b c d", switches="s t"))
    networks = {h: ip_interface(made.addresses(h)["eth0"][0]).network for h in "abcd"}
    assert networks["a"] == networks["b"] != networks["c"] == networks["d"]


def test_two_links_into_one_network_have_two_addresses() -> None:
    made = plan(net([["a", "s"], ["a", "s"], ["b", "s"]], hosts="a b", switches="s"))
    found = [a for host in "ab" for its in made.addresses(host).values() for a in its]
    assert len({*found}) == 3


def test_more_networks_than_prefixes_are_refused() -> None:
    hosts = [f"h{n}" for n in range(56)]
    chain = [[a, b] for a, b in pairwise(hosts)]
    with pytest.raises(UsageError, match="55 separate networks"):
        plan(net(chain, hosts=" ".join(hosts)))
    assert plan(net(chain[:54], hosts=" ".join(hosts))).addresses("h54") == {"eth0": ["10.253.0.55/16"]}


def test_many_hosts_on_one_switch_have_valid_addresses() -> None:
    hosts = [f"h{n}" for n in range(600)]
    made = plan(net([[h, "s"] for h in hosts], hosts=" ".join(hosts), switches="s"))
    found = [ip_interface(made.addresses(h)["eth0"][0]) for h in (hosts[0], hosts[255], hosts[-1])]
    assert [str(a.ip) for a in found] == ["10.200.0.1", "10.200.1.0", "10.200.2.88"]
    assert len(made.switches[0].bridges[0].ports) == 600


def test_rates_and_delays_reach_the_cables() -> None:
    limited = net([["a", "b"]], hosts="a b").model_dump()
    limited["links"][0] |= {"rate_mbps": 2.5, "delay_ms": 40}
    cable = plan(Testbed.model_validate(limited)).cables[0]
    assert (cable.rate_bps, cable.delay_s) == (2.5e6, 0.04)
