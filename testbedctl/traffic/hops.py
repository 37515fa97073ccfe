"""Where packets were lost: a stream's way from the cameras to the sink, hop by hop.

Pure. Every point of the way has a counter of its own. What one point has counted and the next one has
not was lost between them. ``docs/explanation/loss.md`` says what each hop means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from testbedctl.ports import HOPS as HOPS


@dataclass(frozen=True)
class LaneCounters:
    """The way through one vDPI; only packets of the one service. Cumulative packets.

    ``van_tx``: kernel, transmitted by the vAN's port to this vDPI. ``vdpi_rx``: kernel, received by the
    vDPI's port. ``vdpi_flow``: its switch's flow counters. ``tunnel_tx``: transmitted by its VXLAN device
    of the service.
    """

    van_tx: int
    vdpi_rx: int
    vdpi_flow: int
    tunnel_tx: int


@dataclass(frozen=True)
class HopCounters:
    """All counters of one service's way at one instant; cumulative packets.

    ``camera_tx``: kernel, transmitted by the cameras' interface. ``van_rx``: kernel, received by the vAN's
    port to them. ``van_flow``: the vAN's flow counters, summed over the cameras; flows that were deleted
    meanwhile included. ``lanes``: by vDPI, every one that may serve the service. ``sink_rx``: received by the
    sink's VXLAN device. ``socket_drops``: UDP ``RcvbufErrors`` + ``NoPorts`` of the sink's namespace.
    (Not ``InDatagrams``: it counts the tunnel's outer datagrams as well.)
    """

    camera_tx: int
    van_rx: int
    van_flow: int
    lanes: Mapping[str, LaneCounters]
    sink_rx: int
    socket_drops: int


@dataclass(frozen=True)
class DropSample:
    """Packets that a vDPI's port received and its switch never saw in one scrape interval, and whether
    its CPU quota was exhausted (throttled) in that interval."""

    packets: int
    throttled: bool


def attribute(
    before: HopCounters,
    after: HopCounters,
    sent: int,
    delivered: int,
    vdpi_drops: Sequence[DropSample] = (),
) -> dict[str, int]:
    """Packets lost at each of ``HOPS`` between two instants; they add up to exactly ``sent − delivered``.

    ``sent`` and ``delivered`` are what the traffic's own two ends counted in that time. ``vdpi_drops`` are
    the samples of all vDPIs on the way; they split the loss at the vDPIs' input into throttled and ring.

    Counters are read one after the other and a switch publishes its flow counters late, so a point may
    have counted less than the one behind it. What was counted further on has passed here: such a point is
    raised to the next one's count, and lowered to ``sent`` where it counted others' packets (ARP) too.
    Raises ``ValueError`` if a counter fell, for then it was reset in between and says nothing, or if the
    two snapshots are not of the same vDPIs.
    """
    points = _clamped([sent, *_points(_difference(before, after))], sent, delivered)
    sender, van_ring, van_transmit, vdpi, vdpi_transmit, tunnel = _losses(points)
    throttled = _throttled(vdpi, vdpi_drops)
    arrived_and_lost = points[-1] - delivered
    at_socket = max(0, min(arrived_and_lost, after.socket_drops - before.socket_drops))
    lost = [sender, van_ring, van_transmit, vdpi - throttled, throttled, vdpi_transmit, tunnel, at_socket]
    return dict(zip(HOPS, [*lost, sent - delivered - sum(lost)], strict=True))


def _difference(before: HopCounters, after: HopCounters) -> HopCounters:
    """What was counted between two instants."""
    if before.lanes.keys() != after.lanes.keys():
        raise ValueError(f"vDPIs were {sorted(before.lanes)} and are {sorted(after.lanes)}")
    lanes = {
        vdpi: LaneCounters(*_counted(before.lanes[vdpi], lane, f"{vdpi} "))
        for vdpi, lane in after.lanes.items()
    }
    camera_tx, van_rx, van_flow, sink_rx, socket_drops = _counted(before, after, "")
    return HopCounters(camera_tx, van_rx, van_flow, lanes, sink_rx, socket_drops)


def _counted(before: object, after: object, of: str) -> list[int]:
    """The differences of all counters (the whole-number fields) of two snapshots, in their order."""
    names = [f.name for f in fields(after) if f.name != "lanes"]  # type: ignore[arg-type]
    counted = {name: getattr(after, name) - getattr(before, name) for name in names}
    fallen = [f"{of}{name}" for name, count in counted.items() if count < 0]
    if fallen:
        raise ValueError(f"counters fell, so they were reset meanwhile: {', '.join(fallen)}")
    return list(counted.values())


def _points(counted: HopCounters) -> list[int]:
    """Packets that passed each point of the way after the sender, over all lanes."""
    lanes = counted.lanes.values()
    return [
        counted.camera_tx,
        counted.van_rx,
        counted.van_flow,
        sum(lane.van_tx for lane in lanes),
        sum(lane.vdpi_rx for lane in lanes),
        sum(lane.vdpi_flow for lane in lanes),
        sum(lane.tunnel_tx for lane in lanes),
        counted.sink_rx,
    ]


def _clamped(points: Sequence[int], sent: int, delivered: int) -> list[int]:
    """The points never below a later one, never below ``delivered`` and never above ``sent``."""
    clamped: list[int] = []
    least = min(delivered, sent)
    for point in reversed(points):
        least = max(least, min(point, sent))
        clamped.append(least)
    return clamped[::-1]


def _losses(points: Sequence[int]) -> list[int]:
    """Sender, vAN's ring, vAN's transmission, vDPI's input, vDPI's transmission, tunnel.

    The cable behind a transmitting interface counts with it: a full peer drops at the transmitter.
    """
    steps = [before - after for before, after in pairwise(points)]
    return [steps[0] + steps[1], steps[2], steps[3] + steps[4], steps[5], steps[6], steps[7]]


def _throttled(lost: int, samples: Sequence[DropSample]) -> int:
    """The part of the loss that fell into intervals with an exhausted quota."""
    whole = sum(sample.packets for sample in samples)
    if whole <= 0:
        return 0
    return round(lost * sum(sample.packets for sample in samples if sample.throttled) / whole)
