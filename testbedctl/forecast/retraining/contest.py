"""Which of two models forecasts the newest telemetry better; persistence stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testbedctl.errors import Inconclusive
from testbedctl.forecast.persistence import Persistence
from testbedctl.forecast.protocol.rmse import rmse
from testbedctl.forecast.protocol.split import split, with_history
from testbedctl.forecast.protocol.windows import WindowIndex
from testbedctl.forecast.series import Dataset
from testbedctl.ports import RESOURCES, Forecaster

MIN_WINDOWS = 30
"""Fewer windows to judge on say nothing; their forecasts overlap, so 30 are a few independent ones."""

MAX_WINDOWS = 200_000
"""Of more windows so many are judged, evenly spread: more would tell nothing new and need memory."""


@dataclass(frozen=True)
class Score:
    """Errors of one forecaster, in ratios of the VNF's allotment.

    ``rmse`` is the uniform mean of ``rmse_by_resource`` (§7); ``pinball`` the mean loss of its quantiles over
    all windows, steps, resources and quantiles, None if it has no quantiles.
    """

    rmse: float
    rmse_by_resource: dict[str, float]
    pinball: float | None

    def beats(self, other: Score) -> bool:
        """Whether both errors are smaller; one model's quantiles are not judged where the other has none."""
        if not self.rmse < other.rmse:
            return False
        return self.pinball is None or other.pinball is None or self.pinball < other.pinball


class HeldOut:
    """The newest part of a window of data: what no model of this retraining has learned from."""

    def __init__(self, dataset: Dataset, train_share: float, *, window: int, horizon: int):
        """Targets lie in the last rows of each VNF, after ``train_share``; their windows may begin before.

        Raises ``Inconclusive`` for fewer than ``MIN_WINDOWS`` windows.
        """
        parts = [split(each, train_share) for each in dataset.series]
        index = WindowIndex(
            [with_history(before, after, window) for before, after in parts], window, horizon, dataset.step_s
        )
        if len(index) < MIN_WINDOWS:
            raise Inconclusive(
                f"{len(index)} windows of {window} + {horizon} steps of {dataset.step_s:g} s in the newest "
                f"{1 - train_share:.0%} of the data, {MIN_WINDOWS} are needed: nothing was promoted",
                hint="wait for more telemetry, or ask for a longer time with --since",
            )
        chosen = np.linspace(0, len(index) - 1, min(len(index), MAX_WINDOWS)).astype(np.int64)
        self.history, self.truth = index.batch(chosen)
        self._step_s = dataset.step_s

    def score(self, forecaster: Forecaster) -> Score:
        """The errors of a forecaster that has the window and horizon of this part."""
        mean, quantiles = forecaster.predict(self.history)
        errors = rmse(mean, self.truth)
        return Score(
            rmse=float(errors.mean()),
            rmse_by_resource=dict(zip(RESOURCES, errors.tolist(), strict=True)),
            pinball=self._pinball(quantiles, forecaster.quantiles),
        )

    def persistence(self) -> Score:
        """The errors of "what is now, stays", without quantiles of its own."""
        mean, _ = Persistence(self._step_s, self.truth.shape[1]).predict(self.history)
        errors = rmse(mean, self.truth)
        return Score(float(errors.mean()), dict(zip(RESOURCES, errors.tolist(), strict=True)), None)

    def _pinball(self, forecast: np.ndarray, quantiles: Sequence[float]) -> float | None:
        if not quantiles:
            return None
        above = self.truth[..., np.newaxis] - forecast
        level = np.array(quantiles)
        return float(np.maximum(level * above, (level - 1) * above).mean())
