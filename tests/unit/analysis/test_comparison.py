"""Before and after: which verdict a step gets."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from testbedctl.analysis.comparison import Comparison, comparisons
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
