"""Reads every counter on a service's way, from kernel and switches (``traffic.hops`` explains them)."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from pathlib import Path

from testbedctl.backends.local.lab import Lab
from testbedctl.backends.local.plan import ServicePlan, tunnel_port, van_port, vdpi_port
from testbedctl.backends.local.switches import instance
from testbedctl.errors import RunFailed
from testbedctl.host import netns
from testbedctl.telemetry import inspection
from testbedctl.telemetry.switch import ControlQuery, parse_received, parse_rules
from testbedctl.traffic.hops import DropSample, HopCounters, LaneCounters

SWITCH_ANSWERS_WITHIN_S = 1.0
STILL_WITHIN_S = 5.0
INSPECTED_AT_LEAST = 0.99
CAMERAS_PORT = "1"  # OpenFlow number of a vAN's port towards its cameras, the first of its bridge
_IN_PORT = re.compile(r"\bin_port=(\w+)")

Snapshot = dict[str, HopCounters]
"""Counters by service."""


class CounterReader:
    """The counters of a lab; ``read`` is a snapshot of all services' ways."""

    def __init__(self, lab: Lab):
        self._lab, self._plan = lab, lab.plan
        self._vdpis = [n.key for n in self._plan.of_type("vdpi")]

    def read(self) -> Snapshot:
        """One snapshot of all services' ways."""
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
        return {
            key: sum(c.packets for c in inspection.read(str(self._lab.dpi_stats(key))).classes)
            for key in self._vdpis
            if self._plan.vnfs[key].spec.dpi != "off"
        }

    def throttled_ns(self, vdpi: str) -> int:
        """For how long a vDPI's quota has held it back; nanoseconds since the lab came up."""
        group = self._plan.nodes[vdpi].group
        assert group is not None  # every VNF has one
        hierarchy = self._lab.hierarchy
        stat = dict(
            line.split()
            for line in (hierarchy.controller("cpu", group) / "cpu.stat").read_text().splitlines()
        )
        return int(stat["throttled_time"]) if hierarchy.version == 1 else int(stat["throttled_usec"]) * 1000

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

    def _interfaces(self, node: str) -> dict[str, tuple[int, int]]:
        """Packets received and transmitted by each interface of a node."""
        with netns.inside(self._plan.nodes[node].netns):
            rows = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
        split = ((name.strip(), values.split()) for name, _, values in (row.partition(":") for row in rows))
        return {name: (int(values[1]), int(values[9])) for name, values in split}

    def _socket_drops(self, node: str) -> int:
        with netns.inside(self._plan.nodes[node].netns):
            names, values = [
                line.split()[1:]
                for line in Path("/proc/thread-self/net/snmp").read_text().splitlines()
                if line.startswith("Udp:")
            ]
        counts = dict(zip(names, map(int, values), strict=True))
        return counts["RcvbufErrors"] + counts["NoPorts"]


class DropWatch:
    """Notes once a second what a vDPI's switch did not take from its ports, and whether it was throttled."""

    PERIOD_S = 1.0

    def __init__(self, reader: CounterReader):
        self._reader = reader
        self._last: dict[str, tuple[int, int]] = {}
        self._last_s = 0.0
        self.samples: dict[str, list[DropSample]] = {}

    def poll(self, now_s: float) -> bool:
        """Take a sample of every vDPI if one is due, and say whether it was; cheap otherwise."""
        if now_s - self._last_s < self.PERIOD_S:
            return False
        self._last_s = now_s
        self.note(self._reader.read())
        return True

    def note(self, snapshot: Snapshot) -> None:
        """Take a sample from a snapshot."""
        for vdpi in {v for counters in snapshot.values() for v in counters.lanes}:
            missed = sum(c.lanes[vdpi].vdpi_rx - c.lanes[vdpi].vdpi_flow for c in snapshot.values())
            throttled_ns = self._reader.throttled_ns(vdpi)
            if vdpi in self._last:
                before_missed, before_ns = self._last[vdpi]
                sample = DropSample(max(0, missed - before_missed), throttled_ns > before_ns)
                self.samples.setdefault(vdpi, []).append(sample)
            self._last[vdpi] = (missed, throttled_ns)
