"""Which trials may count."""

from __future__ import annotations

from typing import Any

import pytest

from testbedctl.experiment.counters import Inspected, Mark
from testbedctl.experiment.record import Measured, doubts, holes
from testbedctl.traffic.hops import HopCounters, LaneCounters


def measured(*, received: int, forwarded: int, inspected: int, **more: Any) -> Measured:
    before, after = (
        HopCounters(0, 0, 0, {"a/vdpi": LaneCounters(0, rx, flow, 0)}, 0, 0)
        for rx, flow in ((50, 40), (50 + received, 40 + forwarded))
    )
    return Measured(
        0.0,
        10.0,
        [Mark(0.0, {"a": before}), Mark(10.0, {"a": after})],
        Inspected({"a/vdpi": 30}, more.get("unsettled_before", ())),
        Inspected({"a/vdpi": 30 + inspected}, more.get("unsettled_after", ())),
    )


@pytest.mark.parametrize(
    ("received", "forwarded", "inspected"),
    [
        (1000, 1000, 1000),
        (1000, 1000, 990),
        (1000, 600, 1000),  # it reads at the port: the switch, exhausted, dropped the rest
        (1000, 600, 700),
        (0, 0, 0),
    ],
)
def test_an_engine_that_saw_what_was_there_is_believed(received: int, forwarded: int, inspected: int) -> None:
    assert not list(doubts(measured(received=received, forwarded=forwarded, inspected=inspected)))


def test_an_engine_that_saw_too_little_or_too_much_is_not() -> None:
    (blind,) = doubts(measured(received=1000, forwarded=1000, inspected=900))
    assert blind == "the engine of a/vdpi saw only 90.0% of what was forwarded"
    (seeing_double,) = doubts(measured(received=1000, forwarded=600, inspected=1100))
    assert seeing_double == "the engine of a/vdpi saw 1100 packets where 1000 arrived"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_count_that_still_rises_is_not_believed(when: str) -> None:
    (cause,) = doubts(measured(received=10, forwarded=10, inspected=10, **{f"unsettled_{when}": ("a/vdpi",)}))
    assert cause == f"the count of the engine of a/vdpi did not come to rest {when} the trial"


def rows(vnf: str, *times: float, cpu: float | None = 0.5) -> list[dict[str, Any]]:
    return [{"vnf": vnf, "at_s": at_s, "cpu_ratio": cpu} for at_s in times]


def test_a_row_a_second_is_whole_even_if_one_scrape_is_missing() -> None:
    whole = [0.4 + n for n in range(10)]
    assert holes(rows("a/vdpi", *whole), ["a/vdpi"], 10) == []
    assert holes(rows("a/vdpi", *whole[:4], *whole[5:], 10.4), ["a/vdpi"], 10) == []


@pytest.mark.parametrize(
    ("times", "gap"),
    [
        ([0.4, 1.4, 2.4, 5.4, 6.4, 7.4, 8.4, 9.4], "3.0 s"),
        ([n + 0.4 for n in range(3, 10)], "3.4 s"),
        ([n + 0.4 for n in range(7)], "3.6 s"),
        ([], "10.0 s"),
    ],
)
def test_a_gap_is_named_wherever_it_is(times: list[float], gap: str) -> None:
    seen = rows("b/vsre", *(n + 0.4 for n in range(10)))
    assert holes([*rows("a/vsre", *times), *seen], ["a/vsre", "b/vsre"], 10) == [
        f"a/vsre: not measured for {gap}"
    ]


def test_rows_without_cpu_are_holes() -> None:
    empty = rows("a/vsre", *(n + 0.4 for n in range(10)), cpu=None)
    assert holes(empty, ["a/vsre"], 10) == ["a/vsre: not measured for 10.0 s"]


def test_too_few_rows_without_a_long_gap() -> None:
    assert holes(rows("a/van", 1, 3, 5, 7, 9), ["a/van"], 10) == ["a/van: measured only 5 times in 10 s"]
