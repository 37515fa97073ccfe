"""The baselines."""

from __future__ import annotations

import numpy as np
import pytest
from unit.forecast.usage import STEP_S, series

from testbedctl.errors import Inconclusive, UsageError
from testbedctl.forecast.models.baselines import (
    Baseline,
    ExponentialSmoothing,
    LastValue,
    SeasonalNaive,
    WindowMean,
)
from testbedctl.forecast.protocol.rmse import rmse
from testbedctl.forecast.protocol.split import split, with_history
from testbedctl.forecast.protocol.windows import windows

HISTORY = np.random.default_rng(5).random((7, 12, 4), dtype=np.float32)
ALL: list[Baseline] = [
    LastValue(),
    WindowMean(),
    SeasonalNaive(STEP_S, season_s=5 * STEP_S),
    ExponentialSmoothing((0.1, 0.5, 0.9, 1)),
]


@pytest.mark.parametrize("baseline", ALL, ids=lambda baseline: baseline.name)
def test_one_shape_for_all(baseline: Baseline) -> None:
    forecast = baseline.predict(HISTORY, 3)
    assert forecast.shape == (7, 3, 4)
    assert forecast.dtype == np.float32
    assert baseline.predict(HISTORY[:0], 3).shape == (0, 3, 4)


@pytest.mark.parametrize("baseline", ALL, ids=lambda baseline: baseline.name)
def test_other_units_change_nothing(baseline: Baseline) -> None:
    scaled = baseline.predict(HISTORY * 1000 + 5, 3)
    assert scaled == pytest.approx(baseline.predict(HISTORY, 3) * 1000 + 5, rel=1e-5)


@pytest.mark.parametrize("baseline", ALL, ids=lambda baseline: baseline.name)
@pytest.mark.parametrize("shape", [(3, 4), (3, 0, 4), (3, 12, 3)])
def test_another_shape_is_refused(baseline: Baseline, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        baseline.predict(np.zeros(shape, np.float32), 1)


def test_persistence_is_the_last_value() -> None:
    forecast = LastValue().predict(HISTORY, 2)
    assert np.array_equal(forecast, np.stack([HISTORY[:, -1]] * 2, axis=1))


def test_the_mean_is_that_of_the_window_it_is_given() -> None:
    forecast = WindowMean().predict(HISTORY[:, -3:], 2)
    assert forecast[:, 1] == pytest.approx((HISTORY[:, 9] + HISTORY[:, 10] + HISTORY[:, 11]) / 3)


def test_seasonal_naive_is_the_value_one_season_earlier() -> None:
    naive = SeasonalNaive(STEP_S, season_s=5 * STEP_S)
    assert naive.window == 5
    forecast = naive.predict(HISTORY, 7)
    for ahead in range(7):  # target 12 + ahead; beyond the season it repeats
        assert np.array_equal(forecast[:, ahead], HISTORY[:, 12 + ahead - 5 * (1 + ahead // 5)])


def test_seasonal_naive_looks_back_into_the_training_part_of_the_series() -> None:
    whole = series(rows=100)
    naive = SeasonalNaive(STEP_S, season_s=20 * STEP_S)
    before, after = split(whole, 0.8)
    past, future = windows(with_history(before, after, naive.window), naive.window, 1, STEP_S)
    assert len(future) == 20
    assert np.array_equal(naive.predict(past, 1)[:, 0], whole.values[60:80])


def test_a_series_shorter_than_the_season_is_not_measured() -> None:
    naive = SeasonalNaive(STEP_S)
    assert naive.window == 288
    assert len(windows(series(rows=288), naive.window, 1, STEP_S)[0]) == 0
    with pytest.raises(ValueError, match="288"):
        naive.predict(HISTORY, 1)


@pytest.mark.parametrize(("step_s", "season_s"), [(300, 450), (300, 0), (7, 86_400)])
def test_a_season_is_a_whole_number_of_steps(step_s: float, season_s: float) -> None:
    with pytest.raises(UsageError, match="season"):
        SeasonalNaive(step_s, season_s)


def test_smoothing_is_the_recursion_of_the_textbook() -> None:
    alphas = np.array([0.1, 0.5, 0.9, 1], np.float32)
    level = HISTORY[:, 0]
    for step in range(1, 12):
        level = alphas * HISTORY[:, step] + (1 - alphas) * level
    forecast = ExponentialSmoothing((0.1, 0.5, 0.9, 1)).predict(HISTORY, 2)
    assert forecast[:, 0] == pytest.approx(level, abs=1e-6)
    assert np.array_equal(forecast[:, 1], forecast[:, 0])


def test_smoothing_takes_what_suits_each_resource() -> None:
    random = np.random.default_rng(8)
    walk = np.cumsum(random.normal(size=(600, 4)), axis=0).astype(np.float32)
    walk[:, 1] = random.random(600)  # noise about a level: the mean is best, the last value is worst
    past = np.lib.stride_tricks.sliding_window_view(walk, 12, axis=0)[:-1].transpose(0, 2, 1)
    future = walk[12:, np.newaxis]
    fitted = ExponentialSmoothing.fit(past, future)
    assert fitted.alphas[0] >= 0.9
    assert fitted.alphas[1] <= 0.2
    assert (rmse(fitted.predict(past, 1), future) <= rmse(LastValue().predict(past, 1), future)).all()


def test_smoothing_without_a_window_to_choose_by_is_no_smoothing() -> None:
    with pytest.raises(Inconclusive, match="no training window"):
        ExponentialSmoothing.fit(HISTORY[:0], HISTORY[:0, :1])


@pytest.mark.parametrize("alphas", [(0.5,), (0.5, 0.5, 0.5, 0), (0.5, 0.5, 0.5, 1.1)])
def test_weights_out_of_range_are_refused(alphas: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="weights"):
        ExponentialSmoothing(alphas)
