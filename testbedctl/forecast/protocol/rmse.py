"""The error of forecasts: RMSE of each resource, and their uniform mean (§7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from testbedctl.errors import Inconclusive
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]


class Rmse:
    """Errors added up window by window, VM by VM, so that every window of every VM weighs the same.

    §7: "computed through the average (uniform weighted) of the individual RMSE values in each output".
    """

    def __init__(self, horizon: int):
        """``horizon``: steps ahead that each forecast has."""
        self.count = 0
        self._squares: Doubles = np.zeros((horizon, len(RESOURCES)))

    def add(self, forecast: Floats, truth: Floats) -> None:
        """Add windows: both float32[n, horizon, 4]. Raises ``ValueError`` for other or differing shapes."""
        if forecast.shape != truth.shape or forecast.shape[1:] != self._squares.shape:
            steps = len(self._squares)
            raise ValueError(
                f"forecast {forecast.shape}, truth {truth.shape}, expected [n, {steps}, 4] of both"
            )
        self.count += len(truth)
        self._squares += np.square(forecast.astype(np.float64) - truth).sum(axis=0)

    def per_resource(self) -> Doubles:
        """float64[4] over all steps of the horizon. Raises ``Inconclusive`` if nothing was added."""
        self._check_any()
        return np.asarray(np.sqrt(self._squares.mean(axis=0) / self.count))

    def multivariate(self) -> float:
        """The uniform mean of the four. Raises ``Inconclusive`` if nothing was added."""
        return float(self.per_resource().mean())

    def by_step(self) -> Doubles:
        """float64[horizon]: the uniform mean of the four for each step ahead. Raises as ``per_resource``."""
        self._check_any()
        return np.asarray(np.sqrt(self._squares / self.count).mean(axis=1))

    def _check_any(self) -> None:
        if not self.count:
            raise Inconclusive(
                "there is no window to judge a forecast on",
                hint="the judged part of each VM is shorter than window and horizon, or full of gaps",
            )


def rmse(forecast: Floats, truth: Floats) -> Doubles:
    """RMSE of each resource over all windows and steps, float64[4]; both arguments float32[n, horizon, 4]."""
    errors = Rmse(truth.shape[1])
    errors.add(forecast, truth)
    return errors.per_resource()
