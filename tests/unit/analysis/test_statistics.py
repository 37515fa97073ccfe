"""Intervals and verdicts, against values worked out by hand or by an independent computation."""

from __future__ import annotations

import random
import statistics

import pytest

from testbedctl.analysis.statistics import Measured, effect, measured, verdict
from testbedctl.errors import Inconclusive


def test_below_five_trials_the_interval_is_the_range() -> None:
    assert measured([3.0, 1.0, 2.0]) == Measured(2.0, 1.0, 3.0, 3, "range")
    assert measured([4.0]) == Measured(4.0, 4.0, 4.0, 1, "range")


def test_nothing_measured_is_never_zero() -> None:
    with pytest.raises(Inconclusive):
        measured([])
    for before, after in (([], [1.0]), ([1.0], [])):
        with pytest.raises(Inconclusive):
            effect(before, after)


def test_from_five_trials_the_interval_is_a_bootstrap_that_repeats_itself() -> None:
    values = [1.0, 2.0, 4.0, 7.0, 11.0, 12.0]
    first = measured(values)
    assert first.interval == "bca95"
    assert first == measured(values)
    assert 1.0 <= first.low <= first.median == 5.5 <= first.high <= 12.0
    assert first.low < first.high


def test_the_bootstrap_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    draw = random.Random(1)
    samples = [[draw.gauss(10, 2) for _ in range(12)] for _ in range(120)]
    covered = sum(found.low <= 10 <= found.high for found in map(measured, samples))
    assert 0.88 <= covered / len(samples) <= 0.995


@pytest.mark.parametrize("values", [[2.0] * 5, [0.0] * 7])
def test_equal_trials_give_an_interval_of_no_width(values: list[float]) -> None:
    assert measured(values) == Measured(values[0], values[0], values[0], len(values), "bca95")


def test_where_the_bootstrap_is_not_defined_the_range_is_given_and_named() -> None:
    nearly_equal = measured([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0])
    assert nearly_equal.interval in ("range", "bca95")
    assert nearly_equal.low <= nearly_equal.median <= nearly_equal.high


def test_an_effect_of_few_trials_spans_all_pairs() -> None:
    found = effect([1.0, 2.0, 3.0], [5.0, 7.0, 9.0])
    assert found == Measured(5.0, 2.0, 8.0, 3, "range")


def test_an_effect_of_many_trials_is_a_bootstrap_of_the_difference_of_medians() -> None:
    before, after = [1.0, 2.0, 3.0, 4.0, 5.0], [11.0, 12.5, 13.0, 14.0, 15.5]
    found = effect(before, after)
    assert (found.n, found.interval) == (5, "bca95")
    assert found.median == statistics.median(after) - statistics.median(before)
    assert 6 <= found.low < 10 < found.high <= 14.5


def test_the_smaller_arm_decides_which_interval_it_is() -> None:
    assert effect([1.0] * 3, [2.0, 2.5, 3.0, 3.5, 4.0]).interval == "range"


@pytest.mark.parametrize(
    ("low", "high", "n", "expected"),
    [
        (0.02, 0.05, 3, "better"),
        (-0.05, -0.02, 3, "worse"),
        (-0.009, 0.009, 3, "no difference"),
        (0.001, 0.009, 3, "no difference"),
        (0.001, 0.05, 3, "better"),
        (-0.05, 0.05, 3, "inconclusive"),
        (0.0, 0.05, 3, "inconclusive"),
        (0.5, 0.5, 1, "inconclusive"),
    ],
)
def test_the_verdict_follows_from_the_interval(low: float, high: float, n: int, expected: str) -> None:
    difference = Measured((low + high) / 2, low, high, n, "range")
    assert verdict(difference, higher_is_better=True) == expected
    mirrored = {"better": "worse", "worse": "better"}.get(expected, expected)
    assert verdict(difference, higher_is_better=False) == mirrored


def test_a_missing_difference_was_not_measured() -> None:
    assert verdict(None, higher_is_better=True) == "not measured"
