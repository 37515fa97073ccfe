"""Windows: complete, in order, and never across a gap."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from unit.forecast.usage import STEP_S, series

from testbedctl.errors import UsageError
from testbedctl.forecast.protocol.windows import WindowIndex, windows
from testbedctl.forecast.series import Series


def without(whole: Series, *rows: int) -> Series:
    return Series(whole.vm, np.delete(whole.unix_s, rows), np.delete(whole.values, rows, axis=0))


def test_each_window_is_followed_by_its_future() -> None:
    whole = series(rows=30)
    past, future = windows(whole, 5, 2, STEP_S)
    assert past.shape == (24, 5, 4)
    assert future.shape == (24, 2, 4)
    assert past.dtype == future.dtype == np.float32
    for first in range(24):
        assert np.array_equal(past[first], whole.values[first : first + 5])
        assert np.array_equal(future[first], whole.values[first + 5 : first + 7])


@pytest.mark.parametrize("missing", [(10,), (10, 11, 12), (0,), (29,), (5, 20)])
def test_no_window_reaches_across_a_gap(missing: tuple[int, ...]) -> None:
    whole = without(series(rows=30), *missing)
    expected = [
        first
        for first in range(len(whole.unix_s) - 6)
        if whole.unix_s[first + 6] - whole.unix_s[first] == 6 * STEP_S
    ]
    past, future = windows(whole, 5, 2, STEP_S)
    assert 0 < len(expected) < 24
    assert np.array_equal(past, [whole.values[first : first + 5] for first in expected])
    assert np.array_equal(future, [whole.values[first + 5 : first + 7] for first in expected])


@pytest.mark.parametrize(("pause", "many"), [(1.49, 18), (1.51, 16)])
def test_a_late_row_is_no_gap_up_to_one_and_a_half_steps(pause: float, many: int) -> None:
    whole = series(rows=20)
    whole.unix_s[10:] += (pause - 1) * STEP_S
    assert len(windows(whole, 2, 1, STEP_S)[0]) == many


@pytest.mark.parametrize("rows", [0, 1, 6])
def test_a_series_that_is_too_short_has_none(rows: int) -> None:
    past, future = windows(series(rows=rows), 5, 2, STEP_S)
    assert past.shape == (0, 5, 4)
    assert future.shape == (0, 2, 4)


def test_the_windows_of_several_series_are_those_of_each() -> None:
    parts = [series("a", 12), series("b", 3), series("c", 9)]
    index = WindowIndex(parts, 3, 1, STEP_S)
    past, future = index.batch()
    alone = [windows(part, 3, 1, STEP_S) for part in parts]
    assert np.array_equal(past, np.concatenate([each[0] for each in alone]))
    assert np.array_equal(future, np.concatenate([each[1] for each in alone]))
    assert [index.vms[place] for place in index.series_of] == ["a"] * 9 + ["c"] * 6
    assert index.vms_with_windows() == {"a", "c"}


def test_a_batch_holds_the_windows_that_were_asked_for() -> None:
    index = WindowIndex([series("a"), series("b")], 4, 2, STEP_S)
    past, future = index.batch()
    chosen = np.array([300, 0, 17, 17])
    some_past, some_future = index.batch(chosen)
    assert np.array_equal(some_past, past[chosen])
    assert np.array_equal(some_future, future[chosen])


def test_no_series_no_window() -> None:
    assert len(WindowIndex([], 3, 1, STEP_S)) == 0
    assert WindowIndex([], 3, 1, STEP_S).batch()[0].shape == (0, 3, 4)


@pytest.mark.parametrize(("window", "horizon"), [(0, 1), (3, 0), (-1, 1)])
def test_sizes_below_one_are_refused(window: int, horizon: int) -> None:
    with pytest.raises(UsageError, match="window"):
        windows(series(), window, horizon, STEP_S)


def test_an_index_of_long_windows_costs_no_copy_of_each() -> None:
    """All windows of 288 steps of 200,000 rows would be 0.9 GB."""
    rows = 200_000
    whole = Series("long", np.arange(rows) * STEP_S, np.zeros((rows, 4), np.float32))
    tracemalloc.start()
    try:
        index = WindowIndex([whole], 288, 6, STEP_S)
        index.batch(np.arange(64))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(index) == rows - 293
    assert peak < 20_000_000
