"""From what was asked to the entries of a switch, and the choice of whole cameras."""

from __future__ import annotations

import itertools
import random

import pytest

from testbedctl.sdn.rules import (
    BASE_COOKIE,
    Camera,
    Desired,
    Meter,
    Pair,
    Routes,
    Rule,
    Share,
    pick,
)

PORTS = {"cam": 1, "vdpi1": 2, "vdpi2": 3}
PAIR = Pair("10.1.1.1", "10.9.0.1")
ROUTES = Routes("cam", "10.1.1.0/24", "10.9.0.1", "vdpi1", ("vdpi1", "vdpi2"))
SHARE = Share("s1", "00" * 8, "a/vdpi", "b/vdpi", "vdpi2", (PAIR,), 7, 1_500_500, 4)


def test_routes_send_the_prefix_out_and_the_answers_of_every_vdpi_back() -> None:
    assert Desired(routes=ROUTES).rules(PORTS) == {
        Rule(50, BASE_COOKIE, "10.1.1.0/24", "10.9.0.1", 1, 2),
        Rule(50, BASE_COOKIE, None, "10.1.1.0/24", 2, 1),
        Rule(50, BASE_COOKIE, None, "10.1.1.0/24", 3, 1),
    }


def test_a_share_stands_above_the_cameras_own_rule_and_goes_through_its_meter() -> None:
    desired = Desired().with_cameras(7, (Camera(PAIR, "vdpi1"),)).with_share(SHARE)
    assert desired.rules(PORTS) == {
        Rule(100, 7, PAIR.source, PAIR.destination, None, 2),
        Rule(200, 7, PAIR.source, PAIR.destination, None, 3, 4),
    }
    assert desired.meters() == {Meter(4, 1501)}


def test_rules_that_need_a_missing_port_are_left_out() -> None:
    desired = Desired(routes=ROUTES).with_cameras(7, (Camera(PAIR, "vdpi1"),)).with_share(SHARE)
    assert {rule.priority for rule in desired.rules({"cam": 1, "vdpi1": 2})} == {50, 100}
    assert desired.rules({"vdpi1": 2, "vdpi2": 3}) == desired.rules(PORTS) - Desired(routes=ROUTES).rules(
        PORTS
    )
    assert desired.rules({}) == set()


def test_without_a_run_nothing_of_it_is_left_and_others_stay() -> None:
    other = Camera(Pair("10.1.1.2", "10.9.0.1"), "vdpi1")
    desired = Desired(routes=ROUTES).with_cameras(7, (Camera(PAIR, "vdpi1"),)).with_cameras(8, (other,))
    assert desired.with_share(SHARE).without_run(7) == Desired(routes=ROUTES).with_cameras(8, (other,))


def test_the_time_of_the_switchs_answer_goes_to_new_shares_only() -> None:
    first = Desired().with_share(SHARE).stamped(10.0)
    both = first.with_share(Share("s2", "00" * 8, "a", "b", "vdpi2", (), 7)).stamped(20.0)
    assert {share.id: share.applied_unix_s for share in both.shares.values()} == {"s1": 10.0, "s2": 20.0}


def rates(*values: float) -> dict[Pair, float]:
    return {Pair(f"10.1.1.{n}", "10.9.0.1"): value for n, value in enumerate(values)}


@pytest.mark.parametrize("seed", range(20))
def test_pick_is_the_best_of_all_subsets(seed: int) -> None:
    chance = random.Random(seed)
    flows = rates(*(chance.uniform(0, 60e6) for _ in range(9)))
    wanted = chance.uniform(1e6, 400e6)
    sums = (sum(c) for n in range(10) for c in itertools.combinations(flows.values(), n))
    best = max(total for total in sums if total <= wanted)
    found = sum(flows[pair] for pair in pick(flows, wanted))
    assert found <= wanted
    assert found == pytest.approx(best, abs=1e-5 * wanted)


def test_pick_takes_no_silent_flow_and_nothing_that_is_too_large() -> None:
    assert pick(rates(0, 5, 11), 10) == (Pair("10.1.1.1", "10.9.0.1"),)
    assert pick(rates(11, 12), 10) == ()
    assert pick(rates(1, 2), 0) == ()
    assert pick({}, 10) == ()


def test_pick_copes_with_hundreds_of_cameras() -> None:
    flows = rates(*(1e6 for _ in range(250)))
    assert len(pick(flows, 125.5e6)) == 125
