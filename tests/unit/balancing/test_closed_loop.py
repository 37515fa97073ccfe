"""What a user sees of ``--arm reactive`` over minutes, in the closed loop of ``plant``."""

from __future__ import annotations

import math

import pytest

from testbedctl.balancing.reactive import Reactive
from testbedctl.balancing.unbalanced import Unbalanced
from testbedctl.forecast.persistence import Persistence
from testbedctl.ports import Hold, Release, Share

from .plant import COST, Camera, Plant, Rate, Vdpi, constant, equal, two

SEEDS = range(50)
AT_THRESHOLD_MBPS = (0.6 * 0.25 - 0.0125) / COST / 1e6


def sine(rate_mbps: float, swing: float, period_s: float) -> Rate:
    return lambda t: rate_mbps * 1e6 * (1 + swing * math.sin(2 * math.pi * t / period_s))


def square(rate_mbps: float, swing: float, period_s: float) -> Rate:
    return lambda t: rate_mbps * 1e6 * (1 + (swing if t % period_s < period_s / 2 else -swing))


def growing_sizes(total_mbps: float) -> list[Camera]:
    """Cameras as an exponential profile has them: many small ones, none above a tenth of the total."""
    rates: list[float] = []
    size = 2.0
    while (left := total_mbps - sum(rates)) > 1e-9:
        rates.append(min(size, total_mbps / 10, left))
        size *= 1.3
    return [Camera(f"service1/{n}", "service1/vdpi", constant(rate)) for n, rate in enumerate(rates)]


def stepped(rates_mbps: tuple[float, ...], step_s: int) -> list[Camera]:
    """Each step adds cameras of at most a tenth of the top rate, as the stress profiles do."""
    cameras: list[Camera] = []
    for number, (before, rate) in enumerate(zip((0.0, *rates_mbps), rates_mbps, strict=False)):
        count = math.ceil((rate - before) / (rates_mbps[-1] / 10))
        for _ in range(count):
            start = constant((rate - before) / count, number * step_s)
            cameras.append(Camera(f"service1/{len(cameras)}", "service1/vdpi", start))
    return cameras


@pytest.mark.parametrize(
    "cameras",
    [
        pytest.param(equal("service1", 10, constant(60)), id="10x60"),
        pytest.param(equal("service1", 20, constant(30)), id="20x30"),
        pytest.param(equal("service1", 60, constant(10)), id="60x10"),
        pytest.param(equal("service1", 10, constant(40)), id="10x40"),
        pytest.param(growing_sizes(300), id="300-growing"),
        pytest.param(growing_sizes(450), id="450-growing"),
        pytest.param(growing_sizes(600), id="600-growing"),
    ],
)
def test_constant_overload_gives_one_share_and_no_release(cameras: list[Camera]) -> None:
    for seed in SEEDS:
        outcome = Plant(*two(cameras), seed=seed).run(Reactive(Persistence()), 120)
        assert len(outcome.of(Share)) == 1, f"seed {seed}: {outcome.actions}"
        assert not outcome.of(Release), f"seed {seed}: {outcome.actions}"
        assert len(outcome.of(Hold)) <= 3, f"seed {seed}: {outcome.actions}"
        assert max(outcome.demand.values()) < 0.95, f"seed {seed}: {outcome.demand}"
        assert outcome.served_ratio(10, 120) >= 0.99


def test_the_same_overload_unbalanced_loses_a_third() -> None:
    outcome = Plant(*two(equal("service1", 10, constant(60)))).run(Unbalanced(), 30)
    assert outcome.actions == []
    assert outcome.served_ratio(0, 30) < 0.8


@pytest.mark.parametrize(("waking", "served"), [(1.5, 0.97), (2.0, 0.97), (3.0, 0.8)])
def test_a_quota_that_is_used_up_long_before_traffic_is_lost(waking: float, served: float) -> None:
    """A switch that is always busy takes more packets at each waking, so its usage hides what it could do."""
    capacity_mbps = (0.25 - 0.0125) / COST / 1e6
    for seed in SEEDS:
        cameras = stepped((2, 0.5 * capacity_mbps, 1.6 * capacity_mbps), 20)
        vdpis = [Vdpi(service, share_limit=0.9, waking=waking) for service in ("service1", "service2")]
        plant = Plant(vdpis, [*cameras, *equal("service2", 1, constant(2))], seed=seed)
        outcome = plant.run(Reactive(), 120)
        assert not outcome.of(Release), f"seed {seed}: {outcome.moves}"
        assert len(outcome.moves) <= 4, f"seed {seed}: {outcome.moves}"
        assert outcome.served_ratio(50, 120) >= served, f"seed {seed}: {outcome.moves}"


@pytest.mark.parametrize("step_s", [4, 10, 30])
def test_steps_to_600_end_unsaturated_with_few_moves(step_s: int) -> None:
    for seed in SEEDS:
        cameras = stepped((2, 75, 300, 600), step_s)
        outcome = Plant(*two(cameras), seed=seed).run(Reactive(), 4 * step_s)
        assert len(outcome.moves) <= 4, f"seed {seed}: {outcome.moves}"
        assert not outcome.of(Release)
        assert max(outcome.demand.values()) < 1.0, f"seed {seed}: {outcome.demand}"
        assert outcome.served_ratio(3 * step_s + 3, 4 * step_s) >= 0.99, f"seed {seed}: {outcome.moves}"


@pytest.mark.parametrize("shape", [sine, square])
@pytest.mark.parametrize("swing", [0.05, 0.15])
@pytest.mark.parametrize("period_s", [7, 20, 60, 80, 120, 240])
def test_a_swing_about_the_threshold_gives_no_ping_pong(shape: type, swing: float, period_s: float) -> None:
    for seed in range(5):
        rate = shape(AT_THRESHOLD_MBPS / 10, swing, period_s)
        outcome = Plant(*two(equal("service1", 10, rate)), seed=seed).run(Reactive(), 600)
        assert outcome.of(Share), "the swing does pass the threshold"
        assert len(outcome.of(Release)) <= 600 / 60, f"seed {seed}: {outcome.moves}"
        if period_s <= 60:  # the low half never lasts the minimum time
            assert not outcome.of(Release)
            assert len(outcome.of(Share)) == 1
        gaps = [b - a for (a, _), (b, _) in zip(outcome.moves, outcome.moves[2:], strict=False)]
        assert all(gap > 30 for gap in gaps), f"on, off and on again within {min(gaps)} s"


def test_without_a_minimum_time_the_same_swing_toggles() -> None:
    rate = square(AT_THRESHOLD_MBPS / 10, 0.15, 20)
    outcome = Plant(*two(equal("service1", 10, rate)), seed=1).run(Reactive(hold_s=0), 600)
    assert len(outcome.of(Release)) > 10, "the minimum time is what keeps it quiet"


def test_load_that_disappears_is_released_once_and_stays_released() -> None:
    for seed in range(10):
        cameras = [
            *equal("service1", 10, constant(60, 5, 60)),
            Camera("service1/9999", "service1/vdpi", constant(5)),
        ]
        plant = Plant(*two(cameras), seed=seed)
        outcome = plant.run(Reactive(), 240)
        assert len(outcome.of(Share)) == 1
        assert len(outcome.of(Release)) == 1
        assert 60 + 30 <= outcome.of(Release)[0][0] <= 60 + 30 + 5
        assert plant.shares == {}


def test_two_exhausted_vnfs_and_one_candidate_share_its_room() -> None:
    for seed in range(20):
        vdpis = [Vdpi("a"), Vdpi("b"), Vdpi("c")]
        cameras = [
            *equal("a", 10, constant(40, 5)),
            *equal("b", 8, constant(45, 5)),
            *equal("c", 1, constant(2)),
        ]
        outcome = Plant(vdpis, cameras, seed=seed).run(Reactive(), 120)
        assert {action.source for _, action in outcome.of(Share)} == {"a/vdpi", "b/vdpi"}
        assert outcome.demand["c/vdpi"] < 0.9
        assert max(outcome.demand.values()) < 0.95
        assert not outcome.of(Release)


def test_four_vdpis_with_other_names() -> None:
    for seed in range(20):
        vdpis = [Vdpi(f"zone-{n}", name="inspect", quota=0.5) for n in range(4)]
        cameras = [
            *equal("zone-2", 24, constant(60, 5), "inspect"),
            *equal("zone-0", 1, constant(50), "inspect"),
        ]
        outcome = Plant(vdpis, cameras, seed=seed).run(Reactive(), 120)
        assert outcome.of(Share)[0][1].target in ("zone-1/inspect", "zone-3/inspect"), "least loaded first"
        assert len(outcome.moves) <= 4
        assert not outcome.of(Release)
        assert max(outcome.demand.values()) < 0.95


@pytest.mark.parametrize("own_mbps", [240, 300, 420])
def test_a_giver_that_needs_its_cpu_gives_its_guests_back_and_lends_no_more(own_mbps: float) -> None:
    for seed in range(10):
        cameras = [*equal("service1", 10, constant(45)), *equal("service2", 10, constant(own_mbps / 10, 60))]
        plant = Plant([Vdpi("service1"), Vdpi("service2")], cameras, seed=seed)
        outcome = plant.run(Reactive(), 240)
        releases = outcome.of(Release)
        assert len(releases) == 1
        assert 60 < releases[0][0] <= 66
        assert all(at < releases[0][0] for at, _ in outcome.of(Share)), "no back and forth"


def test_a_giver_over_its_threshold_keeps_guests_that_do_not_hurt_it() -> None:
    cameras = [*equal("service1", 10, constant(27)), *equal("service2", 10, constant(24, 60))]
    outcome = Plant([Vdpi("service1"), Vdpi("service2")], cameras, seed=3).run(Reactive(), 180)
    assert outcome.of(Share)
    assert not outcome.of(Release)
    assert outcome.demand["service2/vdpi"] > 0.6


def test_a_giver_whose_load_swings_does_not_get_its_guests_back_and_forth() -> None:
    for swing in (0.05, 0.15):
        cameras = [*equal("service1", 10, constant(45)), *equal("service2", 10, sine(23, swing, 60))]
        outcome = Plant([Vdpi("service1"), Vdpi("service2")], cameras, seed=1).run(Reactive(), 600)
        assert len(outcome.of(Release)) <= 5, outcome.moves


def test_missing_values_hold_and_do_not_crash() -> None:
    cameras = equal("service1", 10, constant(60))
    plant = Plant(*two(cameras), seed=2)
    plant.usage_overrides = lambda second, key: (
        {"cpu": math.nan, "ram": 0.2, "storage": 0.1}
        if 30 <= second < 40 and key == "service1/vdpi"
        else {"ram": 0.2}
        if 50 <= second < 60 and key == "service2/vdpi"
        else None
    )
    outcome = plant.run(Reactive(), 120)
    assert len(outcome.of(Share)) == 1
    assert not outcome.of(Release)
    holds = [(at, action.vnf) for at, action in outcome.of(Hold) if "not measured" in action.reason.text]
    assert holds == [(30, "service1/vdpi"), (50, "service2/vdpi")]
