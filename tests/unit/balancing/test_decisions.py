"""Single decisions of ``Reactive``, on observations written by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from testbedctl.balancing.reactive import Reactive
from testbedctl.errors import UsageError
from testbedctl.forecast.persistence import Persistence
from testbedctl.ports import Action, Flow, Hold, Observation, Release, Share, ShareInForce, VnfState

COST = 6e-10


def vnf(service: str, cpu: float, **changes: object) -> VnfState:
    state = VnfState(
        key=f"{service}/vdpi",
        service=service,
        function="vdpi",
        vnf_class="T1",
        domain="edge",
        usage={"cpu": cpu, "ram": 0.1, "storage": 0.1},
        thresholds={"cpu": 0.6, "ram": 0.9, "storage": 0.9},
        cpu_quota_cores=0.25,
        share_limit=0.6,
        processed_bps=cpu * 0.25 / COST,
    )
    return replace(state, **changes)  # type: ignore[arg-type]


def flows(service: str, rates_mbps: list[float], path: str | None = None) -> tuple[Flow, ...]:
    home = f"{service}/vdpi"
    return tuple(
        Flow(f"{service}/{n}", service, f"10.0.0.{n}", "10.9.0.1", home, path or home, rate * 1e6)
        for n, rate in enumerate(rates_mbps)
    )


def observed(
    at_s: float,
    *vnfs: VnfState,
    cameras: tuple[Flow, ...] = (),
    shares: tuple[ShareInForce, ...] = (),
    age_s: float = 0.2,
    forecast: Mapping[str, Mapping[str, float]] | None = None,
) -> Observation:
    return Observation(at_s, age_s, {v.key: v for v in vnfs}, cameras, shares, forecast=forecast)


OVERLOADED = vnf("a", 0.72)
CAMERAS = flows("a", [60, 60, 60, 60, 60])


def settle_in(policy: Reactive, *vnfs: VnfState, cameras: tuple[Flow, ...] = CAMERAS) -> list[Action]:
    """The first acting decision, or whatever the sixth sample brings."""
    for second in range(7):
        actions = policy.decide(observed(100.0 + second, *vnfs, cameras=cameras))
        if any(not isinstance(action, Hold) for action in actions):
            return actions
    return actions


def test_nothing_wrong_means_no_action() -> None:
    policy = Reactive()
    assert policy.decide(observed(1, vnf("a", 0.3), vnf("b", 0.1))) == []
    assert policy.decide(observed(2)) == []


def test_a_share_carries_its_reason_in_numbers() -> None:
    (share,) = settle_in(Reactive(), OVERLOADED, vnf("b", 0.04))
    assert isinstance(share, Share)
    assert (share.source, share.target) == ("a/vdpi", "b/vdpi")
    assert share.flow_ids == ("a/0",), "0.033 cores too much are one camera of 0.036"
    assert 0 < share.limit <= 0.6
    assert share.reason.observed == 0.72
    assert share.reason.threshold == 0.6
    assert "72%" in share.reason.text
    assert "b/vdpi" in share.reason.text


def test_exactly_at_the_threshold_is_overload() -> None:
    assert isinstance(settle_in(Reactive(), vnf("a", 0.6), vnf("b", 0.04))[0], Share)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(vnf("a", 0.04, key="a/vdpi2"), id="same service"),
        pytest.param(vnf("b", 0.04, vnf_class="T2"), id="other class"),
        pytest.param(vnf("b", 0.04, function="vsre"), id="other function"),
        pytest.param(vnf("b", 0.04, domain="core"), id="other cloud"),
        pytest.param(vnf("b", 0.6), id="over its own threshold"),
        pytest.param(vnf("b", 0.04, usage={"cpu": 0.04, "ram": 0.95, "storage": 0.1}), id="no RAM"),
        pytest.param(vnf("b", 0.04, usage={"cpu": 0.04}), id="RAM and storage not measured"),
        pytest.param(vnf("b", 0.04, usage={"cpu": math.nan, "ram": 0.1, "storage": 0.1}), id="CPU is NaN"),
        pytest.param(vnf("b", 0.04, share_limit=0.01), id="lends next to nothing"),
        pytest.param(vnf("b", 0.04, cpu_quota_cores=0.0), id="no quota"),
    ],
)
def test_no_candidate_is_one_hold(other: VnfState) -> None:
    policy = Reactive()
    said = [
        action
        for second in range(40)
        for action in policy.decide(observed(100.0 + second, OVERLOADED, other, cameras=CAMERAS))
    ]
    assert all(isinstance(action, Hold) for action in said)
    about = [action.reason.text for action in said if action.vnf == "a/vdpi"]  # type: ignore[union-attr]
    assert len(about) == 2, "one while it learns, one because nothing can be done"
    assert "no other vdpi" in about[1]


def test_the_least_loaded_candidate_is_taken_over_all_resources() -> None:
    full_ram = vnf("b", 0.04, usage={"cpu": 0.04, "ram": 0.5, "storage": 0.1})
    (share,) = settle_in(Reactive(), OVERLOADED, full_ram, vnf("c", 0.2))
    assert isinstance(share, Share)
    assert share.target == "c/vdpi"


def test_sharing_factor_counts_every_resource() -> None:
    full_storage = vnf("b", 0.04, usage={"cpu": 0.04, "ram": 0.1, "storage": 0.88})
    actions = settle_in(Reactive(), vnf("a", 1.0), full_storage, cameras=flows("a", [20] * 30))
    (share,) = actions
    assert isinstance(share, Share)
    assert share.limit <= 0.12 * 1.06, "rho is 1 - 0.88, rounded by at most the error of the sizing"


def test_a_forecast_may_raise_but_never_lowers_what_is_seen() -> None:
    calm, idle = vnf("a", 0.5), vnf("b", 0.04)
    high = {"a/vdpi": {"cpu": 0.8}}
    low = {"a/vdpi": {"cpu": 0.1}}
    for state, forecast, expected in ((calm, high, Share), (OVERLOADED, low, Share), (calm, low, type(None))):
        policy = Reactive()
        acted: Action | None = None
        for second in range(7):
            seen = observed(100.0 + second, state, idle, cameras=CAMERAS, forecast=forecast)
            acted = next((a for a in policy.decide(seen) if isinstance(a, Share)), acted)
        assert isinstance(acted, expected)
    assert acted is None


def test_an_absurd_forecast_is_ignored() -> None:
    policy = Reactive()
    for second in range(7):
        forecast = {"a/vdpi": {"cpu": math.nan}, "b/vdpi": {"cpu": -1.0}}
        assert policy.decide(observed(100.0 + second, vnf("a", 0.5), vnf("b", 0.1), forecast=forecast)) == []


def test_a_forecaster_of_its_own_is_asked_when_the_observation_brings_none() -> None:
    class Doubling(Persistence):
        def predict(self, history):  # type: ignore[no-untyped-def]
            mean, quantiles = super().predict(history)
            return 2 * mean, 2 * quantiles

    assert settle_in(Reactive(Persistence()), vnf("a", 0.4), vnf("b", 0.04)) == []
    (share,) = settle_in(Reactive(Doubling()), vnf("a", 0.4), vnf("b", 0.04))
    assert isinstance(share, Share)
    assert share.reason.forecast == pytest.approx(0.8)


def test_stale_data_holds_once_and_again_after_it_was_fresh() -> None:
    policy = Reactive()
    fresh = [vnf("a", 0.2), vnf("b", 0.04)]
    assert policy.decide(observed(100, *fresh)) == []
    (hold,) = policy.decide(observed(100, *fresh, age_s=3.5))
    assert isinstance(hold, Hold)
    assert "3.5 s old" in hold.reason.text
    assert policy.decide(observed(100, *fresh, age_s=4.5)) == []
    assert policy.decide(observed(106, *fresh)) == []
    assert len(policy.decide(observed(106, *fresh, age_s=math.nan))) == 1, "an unknown age is no fresh one"


def test_the_same_sample_twice_decides_nothing_twice() -> None:
    policy = Reactive()
    (share,) = settle_in(policy, OVERLOADED, vnf("b", 0.04))
    assert isinstance(share, Share)
    again = observed(105.0, OVERLOADED, vnf("b", 0.04), cameras=CAMERAS)
    assert policy.decide(again) in ([], policy.decide(again))
    assert policy.decide(again) == []


def test_a_clock_set_back_does_not_block_decisions() -> None:
    policy = Reactive()
    settle_in(policy, OVERLOADED, vnf("b", 0.04))
    acted = [
        action
        for second in range(7)
        for action in policy.decide(observed(10.0 + second, OVERLOADED, vnf("b", 0.04), cameras=CAMERAS))
    ]
    assert any(isinstance(action, Share) for action in acted)


def test_no_chains_a_borrower_does_not_lend_and_a_lender_does_not_borrow() -> None:
    share = ShareInForce("s1", "b/vdpi", "c/vdpi", ("b/0",), 0.6, 1.0)
    lender, borrower = vnf("c", 0.84), vnf("b", 0.3)
    policy = Reactive()
    cameras = (*CAMERAS, *flows("b", [60], path="c/vdpi"), *flows("c", [230]))
    for second in range(20):
        actions = policy.decide(
            observed(100.0 + second, OVERLOADED, borrower, lender, cameras=cameras, shares=(share,))
        )
        assert not any(isinstance(action, Share) for action in actions)


def test_guests_return_when_their_giver_is_gone() -> None:
    share = ShareInForce("s1", "a/vdpi", "b/vdpi", ("a/0",), 0.6, 1.0)
    (release,) = Reactive().decide(observed(100, vnf("a", 0.3), cameras=CAMERAS, shares=(share,)))
    assert isinstance(release, Release)
    assert release.share_id == "s1"
    assert "gone" in release.reason.text


@pytest.mark.parametrize("resource", ["ram", "storage"])
def test_release_waits_for_every_resource(resource: str) -> None:
    share = ShareInForce("s1", "a/vdpi", "b/vdpi", ("a/0",), 0.6, 1.0)
    usage = {"cpu": 0.1, "ram": 0.1, "storage": 0.1, resource: 0.85}
    policy, idle = Reactive(), vnf("b", 0.05)
    cameras = flows("a", [1], path="b/vdpi")
    for second in range(60):
        seen = observed(100.0 + second, vnf("a", 0.1, usage=usage), idle, cameras=cameras, shares=(share,))
        assert policy.decide(seen) == []
    for second in range(60, 100):
        seen = observed(100.0 + second, vnf("a", 0.1), idle, cameras=cameras, shares=(share,))
        if actions := policy.decide(seen):
            break
    assert [action.share_id for action in actions if isinstance(action, Release)] == ["s1"]
    assert second == 60 + 30


def test_release_without_a_measured_resource_is_held_once() -> None:
    share = ShareInForce("s1", "a/vdpi", "b/vdpi", ("a/0",), 0.6, 1.0)
    policy = Reactive()
    said = [
        action
        for second in range(60)
        for action in policy.decide(
            observed(100.0 + second, vnf("a", 0.1, usage={"cpu": 0.1}), vnf("b", 0.05), shares=(share,))
        )
    ]
    assert [type(action) for action in said] == [Hold]
    assert "ram" in said[0].reason.text


def test_the_load_that_would_come_back_keeps_the_share() -> None:
    """Line 31 read literally (usage below 90 % of the threshold) would release here, and toggle for ever."""
    share = ShareInForce("s1", "a/vdpi", "b/vdpi", ("a/0", "a/1"), 0.6, 1.0)
    policy = Reactive()
    kept = flows("a", [60, 60, 60, 60])
    cameras = (*(replace(flow, path="b/vdpi") for flow in kept[:2]), *kept[2:])
    for second in range(90):
        assert (
            policy.decide(
                observed(100.0 + second, vnf("a", 0.3), vnf("b", 0.3), cameras=cameras, shares=(share,))
            )
            == []
        )


def test_overload_without_traffic_counted_is_said() -> None:
    policy, uncounted = Reactive(), vnf("a", 0.9, processed_bps=math.nan)
    actions = [
        action
        for second in range(12)
        for action in policy.decide(observed(100.0 + second, uncounted, vnf("b", 0.04)))
    ]
    assert "not measured" in actions[-1].reason.text


@pytest.mark.parametrize(
    "options", [{"threshold": 0}, {"threshold": 1.5}, {"hold_s": -1}, {"settle_s": math.nan}]
)
def test_options_out_of_range_are_usage_errors(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        Reactive(**options)  # type: ignore[arg-type]


def test_the_threshold_option_acts_earlier() -> None:
    early, idle = vnf("a", 0.5), vnf("b", 0.04)
    assert settle_in(Reactive(), early, idle) == []
    (share,) = settle_in(Reactive(threshold=0.45), early, idle)
    assert share.reason.threshold == 0.45


def test_new_cameras_start_at_home() -> None:
    assert Reactive().place(CAMERAS[0], [vnf("b", 0.0)]) is None
