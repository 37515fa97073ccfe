"""What the northbound interface shows: switches, shares, flow entries and ports as JSON documents."""

from __future__ import annotations

import time
from dataclasses import asdict

from testbedctl.sdn.rules import Share
from testbedctl.sdn.switch import MeasuredFlow, Switch

Document = dict[str, object]
PORT_COUNTERS = (
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_dropped",
    "tx_dropped",
    "rx_errors",
    "tx_errors",
)


def switch_document(switch: Switch) -> Document:
    """A connected switch: its datapath id, the name it was given, its ports, since when it is connected."""
    routes = switch.desired.routes
    return {
        "dpid": switch.dpid,
        "name": routes.name if routes is not None else None,
        "ports": switch.ports,
        "connected_unix_s": switch.connection.since_unix_s,
    }


def share_document(share: Share) -> Document:
    """A share as clients see it; the number of its meter is the switch's affair."""
    return {key: value for key, value in asdict(share).items() if key != "meter_id"}


def flows_document(switch: Switch) -> Document:
    """The flow entries that the switch holds, with its own counters and the measured rates."""
    measured, window_s = switch.measure()
    names = {number: name for name, number in switch.ports.items()}
    rows = [_flow(flow, names) for flow in measured]
    return {"switch": switch.dpid, "at_unix_s": time.time(), "window_s": window_s, "flows": rows}


def ports_document(switch: Switch) -> Document:
    """The port counters of a switch."""
    names = {number: name for name, number in switch.ports.items()}
    rows = [
        {
            "port": names[stats.port_no],
            "number": stats.port_no,
            **{key: getattr(stats, key) for key in PORT_COUNTERS},
        }
        for stats in switch.connection.port_counters()
        if stats.port_no in names
    ]
    return {"switch": switch.dpid, "at_unix_s": time.time(), "ports": rows}


def _flow(flow: MeasuredFlow, names: dict[int, str]) -> Document:
    entry, rule = flow.counters, flow.counters.rule
    return {
        "source": rule.source,
        "destination": rule.destination,
        "in_port": None if rule.in_port is None else names.get(rule.in_port),
        "output": None if rule.output is None else names.get(rule.output),
        "priority": rule.priority,
        "cookie": rule.cookie,
        "meter_id": rule.meter_id,
        "packets": entry.packets,
        "bytes": entry.bytes,
        "duration_s": entry.duration_s,
        "rate_bps": flow.rate_bps,
    }
