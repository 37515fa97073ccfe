"""Who sends when: shapes become cameras and steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from testbedctl.data import data_dir
from testbedctl.errors import UsageError
from testbedctl.spec.profile import Profile
from testbedctl.spec.testbed import Testbed
from testbedctl.traffic.cost import plan_cost
from testbedctl.traffic.schedule import Addresses, Schedule, schedule, warm_up

MakeProfile = Callable[..., Profile]
EXPONENTIAL = {"kind": "exponential", "start_mbps": 2, "factor": 2, "top_mbps": 600, "step_s": 30}
ARRIVALS = {
    "kind": "arrivals",
    "camera_mbps": 40,
    "mean_gap_s": 3,
    "mean_lifetime_s": 45,
    "top_mbps": 600,
    "duration_s": 120,
    "step_s": 10,
}


def offered(plan: Schedule) -> list[float]:
    return [step.offered_bps / 1e6 for step in plan.steps]


def stressed_rate(plan: Schedule, at_s: float) -> int:
    return sum(c.rate_bps for c in plan.cameras if c.service == plan.service and c.start_s <= at_s < c.stop_s)


def shipped() -> list[Path]:
    return sorted((data_dir("profiles") / "stress").glob("*.yaml"))


def test_the_papers_profile_has_exactly_its_ten_steps(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    plan = schedule(profile(EXPONENTIAL), testbed, 1, addresses)
    assert offered(plan) == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]
    assert [(s.step, s.start_s, s.end_s) for s in plan.steps][::9] == [(1, 0, 30), (10, 270, 300)]
    assert plan.duration_s == 300


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_no_camera_of_a_shipped_profile_carries_more_than_a_tenth(
    path: Path, testbed: Testbed, addresses: Addresses
) -> None:
    from ruamel.yaml import YAML

    plan = schedule(Profile.model_validate(YAML(typ="safe").load(path.read_text())), testbed, 7, addresses)
    assert max(c.rate_bps for c in plan.cameras if c.service == plan.service) <= 60_000_000


def test_a_step_adds_the_fewest_even_cameras_and_restarts_none(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    plan = schedule(profile(EXPONENTIAL), testbed, 1, addresses)
    added = {
        step.step: [c.rate_bps for c in plan.cameras if c.service == "left" and c.start_s == step.start_s]
        for step in plan.steps
    }
    assert added[1] == added[2] == [2_000_000]
    assert added[6] == [32_000_000]
    assert added[7] == [32_000_000] * 2
    assert added[8] == [42_666_667, 42_666_667, 42_666_666]
    assert added[9] == [51_200_000] * 5
    assert added[10] == [44_000_000] * 2
    assert all(c.stop_s == 300 for c in plan.cameras)


def test_every_other_service_that_can_carries_one_background_camera(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    plan = schedule(profile(EXPONENTIAL, service="right", background_mbps=3), testbed, 1, addresses)
    others = [c for c in plan.cameras if c.service != "right"]
    assert [(c.camera, c.rate_bps, c.start_s, c.stop_s) for c in others] == [("left/1", 3_000_000, 0, 300)]
    quiet = schedule(profile(EXPONENTIAL, background_mbps=0), testbed, 1, addresses)
    assert {c.service for c in quiet.cameras} == {"left"}


def test_no_background_camera_is_above_a_tenth_of_the_top_rate(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    hold = {"kind": "hold", "rate_mbps": 100, "duration_s": 10}
    for shape in (EXPONENTIAL, ARRIVALS, hold):
        plan = schedule(profile(shape, background_mbps=100), testbed, 1, addresses)
        top = 100e6 if shape is hold else 600e6
        rates = [c.rate_bps for c in plan.cameras if c.service == "right"]
        assert sum(rates) == 100_000_000
        assert len(rates) == round(100e6 / top * 10 + 0.49)
        assert max(rates) <= top * 0.1


def test_addresses_come_from_the_caller(profile: MakeProfile, testbed: Testbed, addresses: Addresses) -> None:
    plan = schedule(profile(EXPONENTIAL), testbed, 1, addresses)
    second = plan.cameras[1]
    assert (second.camera, second.source, second.destination, second.port) == (
        "left/2",
        "10.4.0.2",
        "10.4.9.1",
        5202,
    )


def test_a_ramp_ends_at_its_top(profile: MakeProfile, testbed: Testbed, addresses: Addresses) -> None:
    shape = {"kind": "linear", "start_mbps": 50, "top_mbps": 120, "increment_mbps": 50, "step_s": 5}
    assert offered(schedule(profile(shape), testbed, 1, addresses)) == [50, 100, 120]
    odd = {"kind": "linear", "start_mbps": 0.1, "top_mbps": 0.7, "increment_mbps": 0.1, "step_s": 5}
    assert len(schedule(profile(odd), testbed, 1, addresses).steps) == 7


def test_equal_steps_add_nothing(profile: MakeProfile, testbed: Testbed, addresses: Addresses) -> None:
    plan = schedule(profile({"kind": "steps", "rates_mbps": [5, 5, 10], "step_s": 2}), testbed, 1, addresses)
    assert offered(plan) == [5, 5, 10]
    assert {c.start_s for c in plan.cameras} == {0, 4}


def test_a_fall_ends_the_cameras_that_came_last(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    shape = {"kind": "steps", "rates_mbps": [100, 125, 100, 95, 5, 125], "step_s": 2}
    plan = schedule(profile(shape, background_mbps=0), testbed, 1, addresses)
    assert offered(plan) == shape["rates_mbps"]
    came = [(c.start_s, c.stop_s) for c in plan.cameras]
    assert came[:8] == [(0, 8)] * 7 + [(0, 6)] and len(plan.cameras) == 8 + 2 + 1 + 1 + 10
    assert [c.number for c in plan.cameras] == list(range(1, 23))
    assert max(c.rate_bps for c in plan.cameras) <= 12_500_000
    assert all(c.start_s < c.stop_s for c in plan.cameras)


def test_a_hold_is_reported_in_steps_with_a_short_last_one(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    plan = schedule(
        profile({"kind": "hold", "rate_mbps": 600, "duration_s": 25, "step_s": 10}), testbed, 1, addresses
    )
    assert [(s.start_s, s.end_s) for s in plan.steps] == [(0, 10), (10, 20), (20, 25)]
    assert offered(plan) == [600] * 3
    assert [plan.step_at(t) for t in (0, 9.9, 10, 24, 25, 99)] == [1, 1, 2, 3, 3, 3]


def test_arrivals_come_from_the_seed_and_stay_below_the_top(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    crowded = ARRIVALS | {"mean_gap_s": 0.5}
    plan = schedule(profile(crowded), testbed, 7, addresses)
    assert plan == schedule(profile(crowded), testbed, 7, addresses)
    assert plan != schedule(profile(crowded), testbed, 8, addresses)
    rates = [stressed_rate(plan, second) for second in range(120)]
    assert rates[0] > 0
    assert max(rates) == 600_000_000
    assert any(b < a for a, b in pairwise(rates))
    assert all(0 <= c.start_s < c.stop_s <= 120 for c in plan.cameras)


def test_the_offered_rate_of_a_step_is_its_mean_over_time(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    plan = schedule(profile(ARRIVALS), testbed, 7, addresses)
    for step in plan.steps:
        seconds = range(int(step.start_s), int(step.end_s))
        mean = sum(stressed_rate(plan, second) for second in seconds) / len(seconds)
        assert step.offered_bps == pytest.approx(mean)


def test_a_warm_up_is_the_first_camera_of_every_service(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    warm = warm_up(schedule(profile(EXPONENTIAL), testbed, 1, addresses), 2)
    assert [(c.camera, c.start_s, c.stop_s) for c in warm.cameras] == [("left/1", 0, 2), ("right/1", 0, 2)]
    assert offered(warm) == [2]


@pytest.mark.parametrize(
    ("shape", "keys", "message"),
    [
        (EXPONENTIAL, {"service": "lefty"}, "no service 'lefty'"),
        (EXPONENTIAL | {"factor": 1.005}, {}, "needs 1146 cameras, more than 500"),
        (EXPONENTIAL | {"start_mbps": 0.001, "factor": 100}, {}, "less than one datagram"),
        (
            {"kind": "hold", "rate_mbps": 1e-9, "duration_s": 10},
            {"background_mbps": 0},
            "less than one datagram",
        ),
        ({"kind": "hold", "rate_mbps": 1, "duration_s": 10}, {"background_mbps": 1e5}, "more than 500"),
        ({"kind": "steps", "rates_mbps": [5, 5.000001], "step_s": 1}, {}, "less than one datagram"),
        (EXPONENTIAL, {"background_mbps": 0.001}, "camera right/1 of 1000 bit/s"),
        (ARRIVALS | {"camera_mbps": 61}, {}, "more than 10%"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    profile: MakeProfile,
    testbed: Testbed,
    addresses: Addresses,
    shape: dict[str, object],
    keys: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        schedule(profile(shape, **keys), testbed, 1, addresses)
    assert caught.value.hint


def test_a_near_service_is_suggested(profile: MakeProfile, testbed: Testbed, addresses: Addresses) -> None:
    with pytest.raises(UsageError) as caught:
        schedule(profile(EXPONENTIAL, service="rigth"), testbed, 1, addresses)
    assert caught.value.hint == "did you mean 'right'?"


def test_a_testbed_without_a_chain_is_refused(profile: MakeProfile, addresses: Addresses) -> None:
    with pytest.raises(UsageError, match="can carry traffic"):
        schedule(profile(EXPONENTIAL), Testbed.model_validate({"name": "empty"}), 1, addresses)


def test_three_arms_of_five_exponential_trials_are_75_minutes(
    profile: MakeProfile, testbed: Testbed, addresses: Addresses
) -> None:
    plan = schedule(profile(EXPONENTIAL), testbed, 1, addresses)
    once, all_of_them = plan_cost(plan, 1, 1), plan_cost(plan, arms=3, trials=5)
    assert all_of_them.seconds == 75 * 60
    assert all_of_them.disk_bytes == 15 * once.disk_bytes
