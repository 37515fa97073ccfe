"""Before and after: which verdict a step gets."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from testbedctl.analysis.comparison import JUDGED, Comparison, comparisons
from testbedctl.analysis.samples import Samples
from testbedctl.records.manifest import Step
from testbedctl.records.tables import SCHEMAS

STEP = Step(step=1, start_s=0, end_s=4, offered_bps=1e6)


def _rows(arm: str, quantity: str, values: list[float]) -> list[dict[str, Any]]:
    return [
        {"trial": trial, "arm": arm, "step": 1, "quantity": quantity, "vnf": None, "value": value}
        for trial, value in enumerate(values, 1)
    ]


def _compare(**values: tuple[list[float], list[float]]) -> Comparison:
    """Compare arm ``new`` with ``none``; each quantity is given before and after."""
    rows = []
    for quantity, (before, after) in values.items():
        rows += _rows("none", quantity, before) + _rows("new", quantity, after)
    table = pa.Table.from_pylist(rows, schema=SCHEMAS["results"])
    (found,) = comparisons(Samples(table), ["none", "new"], [STEP], [], alone=False)
    return found


SAME = ([0.0, 0.001, 0.002], [0.0, 0.001, 0.002])
UP, DOWN = ([0.5, 0.51, 0.52], [0.9, 0.91, 0.92]), ([0.5, 0.51, 0.52], [0.1, 0.11, 0.12])


def test_more_delivered_and_less_lost_is_better() -> None:
    assert _compare(delivered_ratio=UP, loss_ratio=DOWN, others_loss_ratio=SAME).steps[0].verdict == "better"


def test_a_gain_at_the_cost_of_the_other_services_is_worse() -> None:
    found = _compare(delivered_ratio=UP, loss_ratio=DOWN, others_loss_ratio=UP)
    assert (found.steps[0].verdict, found.verdict) == ("worse", "worse")


def test_less_delivered_is_worse() -> None:
    assert _compare(delivered_ratio=DOWN, loss_ratio=UP).steps[0].verdict == "worse"


def test_what_one_arm_did_not_measure_was_not_measured() -> None:
    found = _compare(delivered_ratio=([0.5, 0.5, 0.5], []), loss_ratio=DOWN)
    change = found.steps[0].change("delivered_ratio")
    assert change is not None
    assert (change.after, change.difference, change.verdict) == (None, None, "not measured")
    assert found.verdict == "not measured"


def test_single_trials_decide_nothing() -> None:
    assert _compare(delivered_ratio=([0.5], [0.9])).verdict == "inconclusive"


@pytest.mark.parametrize("arms", [["none"], ["new"], ["new", "newer"]])
def test_without_two_arms_of_which_one_is_none_there_is_no_comparison(arms: list[str]) -> None:
    table = pa.Table.from_pylist(_rows(arms[0], "delivered_ratio", [1.0]), schema=SCHEMAS["results"])
    assert comparisons(Samples(table), arms, [STEP], [], alone=False) == []


def _trials(arm: str, quantity: str, step: int, values: list[float]) -> list[dict[str, Any]]:
    return [{**row, "step": step} for row in _rows(arm, quantity, values)]


def _null_runs(runs: int, steps: int) -> list[Comparison]:
    """Comparisons of arms that do not differ, each of ten trials with a spread of 5 points."""
    draw = random.Random(11)
    places = [Step(step=n, start_s=n, end_s=n + 1, offered_bps=1e6) for n in range(1, steps + 1)]
    found = []
    for _ in range(runs):
        rows = [
            row
            for arm in ("none", "new")
            for n in range(1, steps + 1)
            for quantity in ("delivered_ratio", "others_loss_ratio")
            for row in _trials(arm, quantity, n, [draw.gauss(0.5, 0.05) for _ in range(10)])
        ]
        table = pa.Table.from_pylist(rows, schema=SCHEMAS["results"])
        found += comparisons(Samples(table), ["none", "new"], places, [], alone=False)
    return found


def test_arms_that_do_not_differ_are_seldom_called_worse_in_any_of_ten_steps() -> None:
    """Twenty intervals at 95 % each would call more than a third of such runs worse."""
    found = _null_runs(runs=20, steps=10)
    assert sum(comparison.verdict == "worse" for comparison in found) <= 3
    single = [
        change.difference
        for comparison in found
        for step in comparison.steps
        for change in step.changes
        if change.difference and change.quantity == "delivered_ratio"
    ]
    alone = [difference.high < 0 for difference in single]
    assert sum(any(alone[n : n + 10]) for n in range(0, len(alone), 10)) >= 3


def test_a_verdict_comes_from_the_interval_of_the_family() -> None:
    (comparison,) = _null_runs(runs=1, steps=10)
    for step in comparison.steps:
        for change in step.changes:
            if change.quantity in JUDGED:
                assert change.difference and change.judged
                assert (change.difference.interval, change.judged.interval) == ("bca95", "bca95-family")
                assert change.judged.low < change.difference.low
                assert change.difference.high < change.judged.high
            else:
                assert change.judged is None


def test_a_large_harm_is_still_worse_among_many_steps() -> None:
    places = [Step(step=n, start_s=n, end_s=n + 1, offered_bps=1e6) for n in range(1, 11)]
    draw = random.Random(5)
    rows = [
        row
        for arm, harm in (("none", 0.0), ("new", 0.3))
        for n in range(1, 11)
        for quantity, value in (("delivered_ratio", 0.8 - harm * (n == 4)), ("others_loss_ratio", 0.0))
        for row in _trials(arm, quantity, n, [value + draw.uniform(0, 0.02) for _ in range(5)])
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMAS["results"])
    (found,) = comparisons(Samples(table), ["none", "new"], places, [], alone=False)
    assert [step.step for step in found.steps if step.verdict == "worse"] == [4]


def test_loss_is_shown_and_judged_only_through_what_was_delivered() -> None:
    found = _compare(delivered_ratio=SAME, loss_ratio=UP, others_loss_ratio=SAME)
    assert found.steps[0].verdict == "no difference"
