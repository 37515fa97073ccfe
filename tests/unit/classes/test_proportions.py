"""New data keep the proportions of the three types."""

from __future__ import annotations

import random

import pytest

from testbedctl.classes.proportions import keep_proportions, proportions_of
from testbedctl.spec.classes import Proportions
from testbedctl.spec.testbed import VnfClass

HALF = Proportions(T1=0.5, T2=0.3, T3=0.2)


def named(t1: int, t2: int, t3: int) -> dict[VnfClass, list[str]]:
    return {
        "T1": [f"a{n}" for n in range(t1)],
        "T2": [f"b{n}" for n in range(t2)],
        "T3": [f"c{n}" for n in range(t3)],
    }


def sizes(kept: dict[VnfClass, list[str]]) -> tuple[int, ...]:
    return tuple(len(kept[each]) for each in ("T1", "T2", "T3"))


def test_data_that_have_the_proportions_stay_whole() -> None:
    assert keep_proportions(named(50, 30, 20), HALF, seed=0) == named(50, 30, 20)


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        ((500, 30, 20), (51, 30, 20)),  # 50.5, 30.3 and 20.2 of 101
        ((50, 30, 200), (50, 30, 20)),
        ((50, 3, 20), (6, 3, 2)),  # 5.5, 3.3 and 2.2 of 11
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_what_is_too_many_goes(there: tuple[int, int, int], kept: tuple[int, int, int]) -> None:
    assert sizes(keep_proportions(named(*there), HALF, seed=0)) == kept


def test_a_scarce_type_decides_how_many_are_kept() -> None:
    """As T3 of the Bitbrains month: one VM in 500, so that one VM more or less stands for hundreds."""
    of_bitbrains = Proportions(T1=0.736, T2=0.262, T3=0.002)
    kept = [sizes(keep_proportions(named(3680, 1310, t3), of_bitbrains, seed=0)) for t3 in (10, 3, 1, 0)]
    assert kept == [(3680, 1310, 10), (1345, 479, 3), (609, 217, 1), (3680, 1310, 0)]


def test_the_choice_is_in_proportion_and_none_that_is_exactly_so_is_larger() -> None:
    chance = random.Random(1)
    for _ in range(200):
        there = tuple(chance.randint(1, 60) for _ in range(3))
        kept = sizes(keep_proportions(named(*there), HALF, seed=0))
        assert all(k <= t for k, t in zip(kept, there, strict=True))
        assert all(abs(k - sum(kept) * part) < 1 for k, part in zip(kept, (0.5, 0.3, 0.2), strict=True))
        assert sum(kept) >= 10 * min(there[0] // 5, there[1] // 3, there[2] // 2)


def test_the_seed_decides_who_stays_and_the_order_is_kept() -> None:
    first, again, other = (keep_proportions(named(500, 30, 20), HALF, seed)["T1"] for seed in (1, 1, 2))
    assert first == again and first != other
    assert first == sorted(first, key=lambda name: int(name[1:])) and len(set(first)) == 51


def test_a_type_that_is_gone_leaves_the_others_in_proportion() -> None:
    assert sizes(keep_proportions(named(100, 30, 0), HALF, seed=0)) == (51, 30, 0)


def test_proportions_are_those_of_the_names() -> None:
    assert proportions_of(named(5, 3, 2)) == HALF
