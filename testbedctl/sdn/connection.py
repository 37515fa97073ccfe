"""One switch's OpenFlow 1.3 connection: sends messages and waits, for a limited time, for the answers.

Knows neither os-ken nor Ryu by name: the datapath and the queues come from whoever runs the application.
"""

from __future__ import annotations

import ipaddress
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from testbedctl.sdn.refusal import no_answer, not_connected, switch_error
from testbedctl.sdn.rules import Meter, Rule

ANSWER_TIMEOUT_S = 2.0
EXACT_COOKIE = (1 << 64) - 1
ETH_IPV4 = 0x0800
METER_BURST_S = 0.1
MIN_BURST_KBIT = 30  # two datagrams of 1,500 bytes must fit, or a slow meter passes nothing


@dataclass(frozen=True)
class Hub:
    """What is needed of the library's scheduler (threads in os-ken, green threads in Ryu)."""

    spawn: Callable[..., object]
    sleep: Callable[[float], None]
    queue: Callable[[], Any]
    queue_empty: type[Exception]
    lock: Callable[[], Any]


@dataclass(frozen=True)
class FlowCounters:
    """One flow entry as the switch holds it; bytes count Ethernet frames without their checksum."""

    rule: Rule
    packets: int
    bytes: int
    duration_s: float


@dataclass(frozen=True)
class Applied:
    """When the switch confirmed a change, and how long its barriers took."""

    applied_unix_s: float
    barrier_s: float


class Connection:
    """A connected switch. Every method raises ``Refused``: 503 when the connection ends, 504 when the
    switch does not answer in time, 502 when it answers with an error."""

    def __init__(self, datapath: Any, hub: Hub):
        self.datapath = datapath
        self.dpid = f"{datapath.id:016x}"
        self.since_unix_s = time.time()
        self._hub = hub
        self._xids = itertools.count(1)
        self._waiting: dict[int, Any] = {}
        self._closed = False

    def answered(self, message: Any) -> None:
        """Hand a message from the switch to the request that waits for it, if one does."""
        queue = self._waiting.get(message.xid)
        if queue is not None:
            queue.put(message)

    def closed(self) -> None:
        """The connection has ended: nobody needs to wait any longer."""
        self._closed = True
        for queue in list(self._waiting.values()):
            queue.put(None)

    def install(self, rules: Iterable[Rule], meters: Iterable[Meter]) -> Applied:
        """Add meters and rules (one with the same match and priority is replaced); wait for the barrier."""
        return self._transact([self._meter_add(m) for m in meters] + [self._rule_add(r) for r in rules])

    def remove(self, rules: Iterable[Rule], meters: Iterable[Meter]) -> Applied:
        """Delete these rules, each only while it carries its cookie, and these meters; wait likewise."""
        return self._transact([self._rule_delete(r) for r in rules] + [self._meter_delete(m) for m in meters])

    def ports(self) -> dict[str, int]:
        """Port numbers by name, the bridge's own port included."""
        return {
            port.name.decode(errors="replace"): port.port_no
            for port in self._collect(self._parser.OFPPortDescStatsRequest(self.datapath, 0))
        }

    def port_counters(self) -> list[Any]:
        """``OFPPortStats`` of every port."""
        return self._collect(self._parser.OFPPortStatsRequest(self.datapath, 0, self._ofp.OFPP_ANY))

    def flows(self) -> list[FlowCounters]:
        """Every entry of table 0 with its counters, as the switch reports them."""
        request = self._parser.OFPFlowStatsRequest(
            self.datapath, 0, 0, self._ofp.OFPP_ANY, self._ofp.OFPG_ANY, 0, 0, self._parser.OFPMatch()
        )
        return [self._counters(entry) for entry in self._collect(request)]

    def meters(self) -> set[Meter]:
        """The meters that the switch holds."""
        request = self._parser.OFPMeterConfigStatsRequest(self.datapath, 0, self._ofp.OFPM_ALL)
        return {Meter(m.meter_id, m.bands[0].rate if m.bands else 0) for m in self._collect(request)}

    @property
    def _ofp(self) -> Any:
        return self.datapath.ofproto

    @property
    def _parser(self) -> Any:
        return self.datapath.ofproto_parser

    def _transact(self, messages: list[Any]) -> Applied:
        started = time.monotonic()
        barrier = self._parser.OFPBarrierRequest(self.datapath)
        errors = []
        for answer in self._exchange([*messages, barrier]):
            if answer.msg_type == self._ofp.OFPT_ERROR:
                errors.append(self._error_text(answer))
            elif answer.xid == barrier.xid:
                break
        if errors:
            raise switch_error(self.dpid, "; ".join(dict.fromkeys(errors)))
        return Applied(time.time(), time.monotonic() - started)

    def _collect(self, request: Any) -> list[Any]:
        found: list[Any] = []
        for answer in self._exchange([request]):
            if answer.msg_type == self._ofp.OFPT_ERROR:
                raise switch_error(self.dpid, self._error_text(answer))
            found.extend(answer.body)
            if not answer.flags & self._ofp.OFPMPF_REPLY_MORE:
                break
        return found

    def _exchange(self, messages: list[Any]) -> Iterable[Any]:
        """Send all; yield answers until the caller has enough or time is up."""
        queue = self._hub.queue()
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        for message in messages:
            message.set_xid(next(self._xids) & 0x7FFFFFFF)
            self._waiting[message.xid] = queue
        try:
            for message in messages:
                if self._closed or not self.datapath.send_msg(message):
                    raise not_connected(self.dpid)
            while True:
                answer = queue.get(timeout=max(0.0, deadline - time.monotonic()))
                if answer is None:
                    raise not_connected(self.dpid)
                yield answer
        except self._hub.queue_empty:
            raise no_answer(self.dpid, ANSWER_TIMEOUT_S) from None
        finally:
            for message in messages:
                self._waiting.pop(message.xid, None)

    def _error_text(self, error: Any) -> str:
        kind = self._ofp.ofp_error_type_to_str(error.type)
        return f"{kind} {self._ofp.ofp_error_code_to_str(error.type, error.code)}"

    def _rule_add(self, rule: Rule) -> Any:
        parser, ofp = self._parser, self._ofp
        output = parser.OFPActionOutput(rule.output)
        instructions = [parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, [output])]
        if rule.meter_id is not None:
            instructions.insert(0, parser.OFPInstructionMeter(rule.meter_id, ofp.OFPIT_METER))
        return parser.OFPFlowMod(
            self.datapath,
            cookie=rule.cookie,
            command=ofp.OFPFC_ADD,
            priority=rule.priority,
            match=self._match(rule),
            instructions=instructions,
        )

    def _rule_delete(self, rule: Rule) -> Any:
        return self._parser.OFPFlowMod(
            self.datapath,
            cookie=rule.cookie,
            cookie_mask=EXACT_COOKIE,
            command=self._ofp.OFPFC_DELETE_STRICT,
            priority=rule.priority,
            out_port=self._ofp.OFPP_ANY,
            out_group=self._ofp.OFPG_ANY,
            match=self._match(rule),
        )

    def _match(self, rule: Rule) -> Any:
        fields: dict[str, object] = {"eth_type": ETH_IPV4}
        if rule.in_port is not None:
            fields["in_port"] = rule.in_port
        if rule.source is not None:
            fields["ipv4_src"] = _with_mask(rule.source)
        if rule.destination is not None:
            fields["ipv4_dst"] = _with_mask(rule.destination)
        return self._parser.OFPMatch(**fields)

    def _meter_add(self, meter: Meter) -> Any:
        burst = max(MIN_BURST_KBIT, round(meter.rate_kbps * METER_BURST_S))
        return self._meter_mod(
            self._ofp.OFPMC_ADD, meter, [self._parser.OFPMeterBandDrop(meter.rate_kbps, burst)]
        )

    def _meter_delete(self, meter: Meter) -> Any:
        return self._meter_mod(self._ofp.OFPMC_DELETE, meter, [])

    def _meter_mod(self, command: int, meter: Meter, bands: list[Any]) -> Any:
        flags = self._ofp.OFPMF_KBPS | self._ofp.OFPMF_BURST
        return self._parser.OFPMeterMod(self.datapath, command, flags, meter.id, bands)

    def _counters(self, entry: Any) -> FlowCounters:
        meter_id, output = None, None
        for instruction in entry.instructions:
            meter_id = getattr(instruction, "meter_id", meter_id)
            for action in getattr(instruction, "actions", ()):
                output = getattr(action, "port", output)
        match = entry.match
        rule = Rule(
            priority=entry.priority,
            cookie=entry.cookie,
            source=_without_mask(match.get("ipv4_src")),
            destination=_without_mask(match.get("ipv4_dst")),
            in_port=match.get("in_port"),
            output=output,
            meter_id=meter_id,
        )
        duration_s = entry.duration_sec + entry.duration_nsec / 1e9
        return FlowCounters(rule, entry.packet_count, entry.byte_count, duration_s)


def _with_mask(address: str) -> str | tuple[str, str]:
    if "/" not in address:
        return address
    network = ipaddress.IPv4Network(address)
    return (str(network.network_address), str(network.netmask))


def _without_mask(value: str | tuple[str, str] | None) -> str | None:
    if isinstance(value, tuple):
        return str(ipaddress.IPv4Network(f"{value[0]}/{value[1]}"))
    return value
