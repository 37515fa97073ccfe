"""The baselines as contenders: in the same table as every model, always."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from testbedctl.errors import UsageError
from testbedctl.forecast.evaluation.contender import Contender
from testbedctl.forecast.models.baselines import (
    Baseline,
    ExponentialSmoothing,
    LastValue,
    SeasonalNaive,
    WindowMean,
)
from testbedctl.forecast.protocol.scaling import Kind, Scaler
from testbedctl.forecast.protocol.split import split, with_history
from testbedctl.forecast.protocol.windows import WindowIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbedctl.forecast.series import Dataset, Series

    Floats = NDArray[np.float32]

WINDOW = 12
"""Steps that the mean and exponential smoothing look back: an hour of the public traces."""

_FITTED_ON = 50_000
"""Training windows, evenly spaced over all VMs, on which exponential smoothing chooses its weights."""

_LEAST_SHARE = 0.9
"""The season is too long for a data set if fewer than this share of the forecasts have one behind them."""


def baselines(
    dataset: Dataset, series: Sequence[Series], horizon: int, train_share: float
) -> tuple[Contender, ...]:
    """Persistence, the mean of ``WINDOW`` steps, and exponential smoothing fitted on the training parts."""
    parts = [split(each, train_share)[0] for each in series if len(each.values)]
    scaler = Scaler.fit(_scaling(dataset), parts)
    trained = WindowIndex(
        [scaler.scale(part) for part in parts if len(part.values)], WINDOW, horizon, dataset.step_s
    )
    numbers = np.linspace(0, len(trained) - 1, min(len(trained), _FITTED_ON)).astype(np.int64)
    smoothing = ExponentialSmoothing.fit(*trained.batch(numbers))
    return (
        _contender(LastValue(), 1, horizon, dataset),
        _contender(WindowMean(), WINDOW, horizon, dataset),
        _contender(smoothing, WINDOW, horizon, dataset),
    )


def seasonal(
    dataset: Dataset, series: Sequence[Series], window: int, horizon: int, train_share: float
) -> Contender | str:
    """The value of a day earlier, or why it cannot be judged here.

    It would cost all contenders the forecasts that have no whole day behind them; it takes part where these
    are few. ``window``: what the others need.
    """
    try:
        naive = SeasonalNaive(dataset.step_s)
    except UsageError as error:  # a day is not a whole number of steps
        return str(error)
    some, with_season = (
        _forecasts(series, dataset.step_s, max(window, steps), horizon, train_share)
        for steps in (window, naive.window)
    )
    if with_season < _LEAST_SHARE * some:
        return f"{with_season:,} of {some:,} forecasts have a day ({naive.window:,} steps) behind them"
    return _contender(naive, naive.window, horizon, dataset)


def _forecasts(series: Sequence[Series], step_s: float, window: int, horizon: int, train_share: float) -> int:
    parts = [with_history(*split(each, train_share), window) for each in series]
    return len(WindowIndex(parts, window, horizon, step_s))


def _scaling(dataset: Dataset) -> Kind:
    """The judged space of ``judge``."""
    return "per-vm" if dataset.units == "trace" else "none"


def _contender(baseline: Baseline, window: int, horizon: int, dataset: Dataset) -> Contender:
    def predict(windows: Floats, ahead: int) -> Floats:
        return baseline.predict(windows, ahead)[..., np.newaxis]

    return Contender(
        name=baseline.name,
        kind="baseline",
        space="scaled" if dataset.units == "trace" else "own",
        window=window,
        horizon=horizon,
        predict=partial(predict, ahead=horizon),
        scaling=_scaling(dataset),
    )
