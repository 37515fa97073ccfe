"""Loss hop by hop: a loss planted at one hop is found at that hop, and the sum is exact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbedctl.ports import HOPS
from testbedctl.traffic.hops import DropSample, HopCounters, LaneCounters, attribute

SENT = 1000
ZERO = HopCounters(0, 0, 0, {"a/vdpi": LaneCounters(0, 0, 0, 0), "b/vdpi": LaneCounters(0, 0, 0, 0)}, 0, 0)


def way(losses: dict[str, int], share: float = 0.4) -> tuple[HopCounters, int]:
    """Counters after ``SENT`` packets with the given losses, ``share`` of them through the second vDPI;
    what a lane loses is lost in the first one. Also what was delivered."""
    at = dict.fromkeys(HOPS, 0) | losses
    camera_tx = SENT - at["sender"]
    van_flow = camera_tx - at["van_ring"]
    over_b = int(van_flow * share)
    van_tx = van_flow - over_b - at["van_transmit"]
    flow = van_tx - at["vdpi_ring"] - at["vdpi_throttled"]
    tunnel_tx = flow - at["vdpi_transmit"]
    sink_rx = tunnel_tx + over_b - at["tunnel"]
    lanes = {
        "a/vdpi": LaneCounters(van_tx, van_tx, flow, tunnel_tx),
        "b/vdpi": LaneCounters(over_b, over_b, over_b, over_b),
    }
    after = HopCounters(camera_tx, camera_tx, van_flow, lanes, sink_rx, at["receiver_socket"])
    return after, sink_rx - at["receiver_socket"] - at["unattributed"]


@pytest.mark.parametrize("hop", HOPS)
def test_a_planted_loss_is_found_at_its_hop_alone(hop: str) -> None:
    after, delivered = way({hop: 70})
    samples = [DropSample(70, hop == "vdpi_throttled")] if hop.startswith("vdpi_") else []
    lost = attribute(ZERO, after, SENT, delivered, samples)
    assert lost == dict.fromkeys(HOPS, 0) | {hop: 70}


def test_losses_at_every_hop_are_told_apart() -> None:
    planted = {hop: number for number, hop in enumerate(HOPS, 1)}
    after, delivered = way(planted)
    samples = [DropSample(planted["vdpi_throttled"], True), DropSample(planted["vdpi_ring"], False)]
    assert attribute(ZERO, after, SENT, delivered, samples) == planted


def test_only_what_was_counted_in_between_counts() -> None:
    first, _ = way({"tunnel": 40})
    second, delivered = way({"van_ring": 20})
    lanes = {
        key: LaneCounters(
            *(x + y for x, y in zip(vars(a).values(), vars(second.lanes[key]).values(), strict=True))
        )
        for key, a in first.lanes.items()
    }
    both = HopCounters(
        first.camera_tx + second.camera_tx,
        first.van_rx + second.van_rx,
        first.van_flow + second.van_flow,
        lanes,
        first.sink_rx + second.sink_rx,
        0,
    )
    assert attribute(first, both, SENT, delivered) == dict.fromkeys(HOPS, 0) | {"van_ring": 20}


def test_drops_at_the_vdpi_are_split_by_when_they_fell() -> None:
    after, delivered = way({"vdpi_ring": 100})
    samples = [DropSample(30, True), DropSample(0, True), DropSample(10, False)]
    lost = attribute(ZERO, after, SENT, delivered, samples)
    assert (lost["vdpi_throttled"], lost["vdpi_ring"]) == (75, 25)
    assert attribute(ZERO, after, SENT, delivered)["vdpi_ring"] == 100


def test_a_late_flow_counter_is_no_loss() -> None:
    """A switch publishes its flow counters up to a second late; the port behind it has counted them."""
    after, delivered = way({"tunnel": 10})
    lost = attribute(ZERO, replace(after, van_flow=after.van_flow - 300), SENT, delivered)
    assert lost == dict.fromkeys(HOPS, 0) | {"tunnel": 10}


def test_packets_of_others_are_no_gain() -> None:
    after, delivered = way({"sender": 10})
    lost = attribute(ZERO, replace(after, sink_rx=after.sink_rx + 10_000), SENT, delivered)
    assert sum(lost.values()) == 10
    assert min(lost.values()) >= 0


def test_more_socket_drops_than_losses_are_not_believed() -> None:
    after, delivered = way({"receiver_socket": 5})
    lost = attribute(ZERO, replace(after, socket_drops=500), SENT, delivered)
    assert lost["receiver_socket"] == 5


def test_what_nobody_counted_is_shown_as_such() -> None:
    after, _ = way({})
    assert attribute(ZERO, after, SENT, 990)["unattributed"] == 10


def test_a_backlog_that_arrives_in_a_later_step_shows_as_negative() -> None:
    after, delivered = way({})
    lost = attribute(ZERO, after, SENT - 8, delivered)
    assert lost == dict.fromkeys(HOPS, 0) | {"unattributed": -8}


def test_a_counter_that_fell_is_an_error() -> None:
    before, _ = way({})
    after = replace(before, sink_rx=3)
    with pytest.raises(ValueError, match="sink_rx"):
        attribute(before, after, SENT, SENT)
    fallen = {**before.lanes, "b/vdpi": LaneCounters(0, 0, 0, 0)}
    with pytest.raises(ValueError, match="b/vdpi van_tx"):
        attribute(before, replace(before, lanes=fallen), SENT, SENT)


def test_a_vdpi_without_a_first_snapshot_is_an_error() -> None:
    after, delivered = way({})
    with pytest.raises(ValueError, match="vDPIs were"):
        attribute(replace(ZERO, lanes={}), after, SENT, delivered)
