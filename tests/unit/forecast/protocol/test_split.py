"""The chronological split."""

from __future__ import annotations

import numpy as np
import pytest
from unit.forecast.usage import STEP_S, series

from testbedctl.errors import UsageError
from testbedctl.forecast.protocol.split import split, with_history
from testbedctl.forecast.protocol.windows import windows


def test_the_past_is_learned_from_and_the_future_is_judged_on() -> None:
    whole = series(rows=101)
    before, after = split(whole, 0.8)
    assert len(before.unix_s) == 80
    assert before.unix_s[-1] < after.unix_s[0]
    assert np.array_equal(np.concatenate([before.values, after.values]), whole.values)
    assert np.array_equal(np.concatenate([before.unix_s, after.unix_s]), whole.unix_s)


@pytest.mark.parametrize(
    ("rows", "share", "border"), [(100, 0.57, 57), (10, 0.8, 8), (1, 0.8, 0), (0, 0.8, 0)]
)
def test_the_border_is_the_share_rounded_down(rows: int, share: float, border: int) -> None:
    before, after = split(series(rows=rows), share)
    assert (len(before.unix_s), len(after.unix_s)) == (border, rows - border)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_that_leaves_a_part_empty_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="training share"):
        split(series(), share)


@pytest.mark.parametrize("horizon", [1, 4])
def test_with_history_every_target_lies_in_the_judged_part_and_the_first_row_is_the_first(
    horizon: int,
) -> None:
    before, after = split(series(rows=120), 0.8)
    past, future = windows(with_history(before, after, 7), 7, horizon, STEP_S)
    assert len(future) == len(after.unix_s) - horizon + 1
    for step in range(horizon):
        assert np.array_equal(future[:, step], after.values[step : step + len(future)])
    assert np.array_equal(past[0], before.values[-7:])


def test_history_that_is_shorter_than_the_window_is_all_there_is() -> None:
    before, after = split(series(rows=10), 0.2)
    assert len(with_history(before, after, 7).unix_s) == 10
