"""Reads every counter on a service's way, from kernel and switches (``traffic.hops`` explains them)."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbedctl.backends.local.lab import Lab
from testbedctl.backends.local.plan import ServicePlan, tunnel_port, van_port, vdpi_port
from testbedctl.backends.local.switches import instance
from testbedctl.errors import RunFailed
from testbedctl.host import netns
from testbedctl.telemetry import inspection
from testbedctl.telemetry.cgroups import throttled_seconds
from testbedctl.telemetry.config import Cgroups
from testbedctl.telemetry.processes import interface_counters
from testbedctl.telemetry.switch import ControlQuery, parse_received, parse_rules
from testbedctl.traffic.hops import HopCounters, LaneCounters

SWITCH_ANSWERS_WITHIN_S = 1.0
STILL_WITHIN_S = 5.0
ENGINES_SETTLE_WITHIN_S = 9.0
ENGINES_STILL_FOR_S = 3.2  # a count may come three seconds late
"""Engines publish what they have seen a second or two late."""

CAMERAS_PORT = "1"  # OpenFlow number of a vAN's port towards its cameras, the first of its bridge
_IN_PORT = re.compile(r"\bin_port=(\w+)")

Snapshot = dict[str, HopCounters]
"""Counters by service."""


@dataclass(frozen=True)
class Mark:
    """A snapshot, and when it was taken: seconds since the trial's start."""

    at_s: float
    ways: Snapshot


@dataclass(frozen=True)
class Inspected:
    """Packets that the engine of each vDPI has seen; ``unsettled`` are those whose counts still rose."""

    packets: Mapping[str, int]
    unsettled: tuple[str, ...] = ()


class CounterReader:
    """The counters of a lab; ``read`` is a snapshot of all services' ways."""

    def __init__(self, lab: Lab):
        self._lab, self._plan = lab, lab.plan
        self._vdpis = [n.key for n in self._plan.of_type("vdpi")]

    def read(self) -> Snapshot:
        """One snapshot of all services' ways; raises ``RunFailed`` if a counter cannot be read."""
        try:
            return self._snapshot()
        except (OSError, ValueError, KeyError) as error:
            raise RunFailed(
                f"the packet counters cannot be read: {type(error).__name__}: {error}",
                hint="see 'testbedctl status'",
            ) from error

    def _snapshot(self) -> Snapshot:
        vans = {s.van: self._taken_from_cameras(s.van) for s in self._plan.services.values()}
        switches = {vdpi: self._port_packets(vdpi) for vdpi in self._vdpis}
        links = {node: self._interfaces(node) for node in self._nodes()}
        return {
            name: self._service(plan, vans[plan.van], switches, links)
            for name, plan in self._plan.services.items()
        }

    def read_when_still(self) -> Snapshot:
        """A snapshot taken after traffic has stopped and the switches have published their counts.

        Raises ``RunFailed`` if packets still move after some seconds.
        """
        deadline = time.monotonic() + STILL_WITHIN_S
        last = self.read()
        while time.monotonic() < deadline:
            time.sleep(0.3)  # longer than the switches need to publish; bounded by the deadline
            now = self.read()
            if now == last:
                return now
            last = now
        raise RunFailed(f"packets still cross the lab {STILL_WITHIN_S:g} s after the traffic ended")

    def inspected(self) -> dict[str, int]:
        """Packets that each vDPI's engine has seen; vDPIs without an engine are left out."""
        return {key: self._seen(key) for key in self._vdpis if self._plan.vnfs[key].spec.dpi != "off"}

    def inspected_when_still(self) -> Inspected:
        """What the engines have seen once their counts stand still, or after some seconds as they are."""
        start_s = time.monotonic()
        last = self.inspected()
        changed_s = dict.fromkeys(last, start_s)
        while (now_s := time.monotonic()) < start_s + ENGINES_SETTLE_WITHIN_S:
            now = self.inspected()
            changed_s |= {key: now_s for key, count in now.items() if count != last[key]}
            last = now
            if all(now_s - since_s >= ENGINES_STILL_FOR_S for since_s in changed_s.values()):
                return Inspected(last)
            time.sleep(0.2)  # bounded by the deadline
        moving = (key for key, since_s in changed_s.items() if now_s - since_s < ENGINES_STILL_FOR_S)
        return Inspected(last, tuple(moving))

    def _seen(self, vdpi: str) -> int:
        try:
            return sum(c.packets for c in inspection.read(str(self._lab.dpi_stats(vdpi))).classes)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFailed(
                f"the inspection engine of {vdpi} does not say what it has seen: {error}",
                hint=f"testbedctl logs 'dpi {vdpi}'",
            ) from error

    def throttled_s(self, vdpi: str) -> float:
        """For how long a vDPI's quota has held it back; seconds since the lab came up."""
        group = self._plan.nodes[vdpi].group
        assert group is not None  # every VNF has one
        try:
            return throttled_seconds(Cgroups.of(self._lab.hierarchy, group))
        except (OSError, ValueError) as error:
            raise RunFailed(f"the CPU quota of {vdpi} cannot be read: {error}") from error

    def _nodes(self) -> list[str]:
        return [*(n for s in self._plan.services.values() for n in (s.cameras, s.van, s.vsre)), *self._vdpis]

    def _service(
        self,
        service: ServicePlan,
        van_flow: int,
        switches: dict[str, dict[str, int]],
        links: dict[str, dict[str, tuple[int, int]]],
    ) -> HopCounters:
        lanes = {}
        for number, vdpi in enumerate(self._vdpis, 1):
            ports = [p for s in self._plan.switches if s.node == vdpi for p in s.bridges[0].ports]
            of_port = str(ports.index(van_port(service.index)) + 1)
            lanes[vdpi] = LaneCounters(
                van_tx=links[service.van][vdpi_port(number)][1],
                vdpi_rx=links[vdpi][van_port(service.index)][0],
                vdpi_flow=switches[vdpi].get(of_port, 0),
                tunnel_tx=links[vdpi][tunnel_port(service.index)][1],
            )
        return HopCounters(
            camera_tx=links[service.cameras][service.camera_interface][1],
            van_rx=links[service.van]["cameras"][0],
            van_flow=van_flow,
            lanes=lanes,
            sink_rx=links[service.vsre][tunnel_port(service.index)][0],
            socket_drops=self._socket_drops(service.vsre),
        )

    def _port_packets(self, node: str) -> dict[str, int]:
        """Packets that a switch took from each of its ports, by the rules that match a port alone."""
        counts: dict[str, int] = defaultdict(int)
        for rule in parse_rules(self._ask(node, "bridge/dump-flows", "br0")):
            if found := _IN_PORT.search(rule.match):
                counts[found[1]] += rule.packets
        return counts

    def _taken_from_cameras(self, van: str) -> int:
        """Packets that a vAN took from its cameras: all that it took, less those that came back from vDPIs.

        Rules of cameras and shares come and go, and their counts with them; this count stays.
        """
        back = sum(n for port, n in self._port_packets(van).items() if port != CAMERAS_PORT)
        return parse_received(self._ask(van, "dpif-netdev/pmd-stats-show")) - back

    def _ask(self, node: str, method: str, *parameters: str) -> str:
        control = str(instance(self._lab.runtime, node).control)
        try:
            query = ControlQuery(control, method, parameters, timeout_s=SWITCH_ANSWERS_WITHIN_S)
            return query.answer(time.monotonic() + SWITCH_ANSWERS_WITHIN_S)
        except OSError as error:
            raise RunFailed(
                f"the switch of {node} does not answer: {error}", hint="see 'testbedctl status'"
            ) from error
        except ValueError as error:
            raise RunFailed(f"the switch of {node} was asked for its counters: {error}") from error

    def _interfaces(self, node: str) -> dict[str, tuple[int, int]]:
        """Packets received and transmitted by each interface of a node."""
        with netns.inside(self._plan.nodes[node].netns):
            table = Path("/proc/thread-self/net/dev").read_text()
        counters = interface_counters(table)
        return {name: (c.receive_packets, c.transmit_packets) for name, c in counters.items()}

    def _socket_drops(self, node: str) -> int:
        with netns.inside(self._plan.nodes[node].netns):
            names, values = [
                line.split()[1:]
                for line in Path("/proc/thread-self/net/snmp").read_text().splitlines()
                if line.startswith("Udp:")
            ]
        counts = dict(zip(names, map(int, values), strict=True))
        return counts["RcvbufErrors"] + counts["NoPorts"]
