"""The baselines that stand beside every model, in numpy: what a forecast has to beat.

Each has ``name``, ``window`` (the least number of past steps that it needs) and ``predict``. They work in any
units: scaling a window scales their forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from testbedctl.errors import Inconclusive, UsageError
from testbedctl.forecast.protocol.rmse import rmse
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DAY_S = 86_400.0
ALPHAS = tuple(round(0.05 * step, 2) for step in range(1, 21))
"""What exponential smoothing chooses from; 1 is persistence."""


class Baseline(Protocol):
    """A forecast without training by gradient."""

    name: str
    window: int

    def predict(self, history: Floats, horizon: int) -> Floats:
        """From float32[n, steps, 4], at least ``window`` steps, to float32[n, horizon, 4].

        Raises ``ValueError`` for another shape or fewer steps."""


class LastValue:
    """Persistence: what is now, stays."""

    name = "persistence"
    window = 1

    def predict(self, history: Floats, horizon: int) -> Floats:
        """As ``Baseline.predict``."""
        return _repeated(_checked(history, self.window)[:, -1], horizon)


class WindowMean:
    """The mean of the window, for each step ahead."""

    name = "mean of the window"
    window = 1

    def predict(self, history: Floats, horizon: int) -> Floats:
        """As ``Baseline.predict``."""
        return _repeated(_checked(history, self.window).mean(axis=1, dtype=np.float32), horizon)


class SeasonalNaive:
    """The value one season earlier.

    It needs a whole season of history: ``window`` says how many steps, and the caller gives that many from
    the series itself, also from before the judged part (``split.with_history``). A series with less, or with
    a gap within, has no such window and is not measured; nothing takes the value's place.
    """

    name = "seasonal naive"

    def __init__(self, step_s: float, season_s: float = DAY_S):
        """``season_s``: a whole number of steps of ``step_s`` seconds, else ``UsageError``."""
        self.window = round(season_s / step_s)
        if self.window < 1 or abs(self.window * step_s - season_s) > 1e-6 * season_s:
            raise UsageError(
                f"a season of {season_s:g} s with steps of {step_s:g} s",
                hint="a season is a whole number of steps",
            )

    def predict(self, history: Floats, horizon: int) -> Floats:
        """As ``Baseline.predict``; a horizon beyond the season repeats it."""
        steps = _checked(history, self.window).shape[1]
        ahead = np.arange(horizon) % self.window
        return history[:, steps - self.window + ahead]


class ExponentialSmoothing:
    """Simple exponential smoothing over the window, one weight for each resource."""

    name = "exponential smoothing"
    window = 1

    def __init__(self, alphas: Sequence[float]):
        """``alphas``: the weight of the newest value, above 0 to 1, for each of ``ports.RESOURCES``."""
        if len(alphas) != len(RESOURCES) or not all(0 < alpha <= 1 for alpha in alphas):
            raise UsageError(
                f"exponential smoothing with the weights {list(alphas)}",
                hint="one above 0, at most 1, for each of " + ", ".join(RESOURCES),
            )
        self.alphas = tuple(float(alpha) for alpha in alphas)

    @classmethod
    def fit(cls, history: Floats, future: Floats) -> ExponentialSmoothing:
        """The weights of ``ALPHAS`` with the least RMSE on *training* windows: float32[n, window, 4] and
        float32[n, horizon, 4]. Raises ``Inconclusive`` without any window."""
        if not len(history):
            raise Inconclusive(
                "there is no training window to choose the weights of exponential smoothing on",
                hint="the training part of each VM is shorter than window and horizon, or full of gaps",
            )
        tried = [cls([alpha] * len(RESOURCES)).predict(history, future.shape[1]) for alpha in ALPHAS]
        best = np.argmin([rmse(forecast, future) for forecast in tried], axis=0)
        return cls([ALPHAS[choice] for choice in best])

    def predict(self, history: Floats, horizon: int) -> Floats:
        """As ``Baseline.predict``; the first value of the window starts the smoothing."""
        steps = _checked(history, self.window).shape[1]
        alphas = np.array(self.alphas)
        weights = (1 - alphas) ** np.arange(steps - 1, -1, -1)[:, np.newaxis]
        weights[1:] *= alphas
        return _repeated(np.einsum("nwr,wr->nr", history, weights.astype(np.float32)), horizon)


def _checked(history: Floats, least: int) -> Floats:
    if history.ndim != 3 or history.shape[1] < least or history.shape[2] != len(RESOURCES):
        raise ValueError(f"history must have the shape [n, steps >= {least}, 4], got {history.shape}")
    return history


def _repeated(value: Floats, horizon: int) -> Floats:
    """float32[n, 4] for each step of the horizon."""
    return np.repeat(value[:, np.newaxis], horizon, axis=1)
