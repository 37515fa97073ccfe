"""What a contender has earned so far: squared errors, and how often the truth was above its quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from testbedctl.forecast.evaluation.result import QuantileShare
from testbedctl.forecast.protocol.rmse import Rmse
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbedctl.forecast.evaluation.contender import Contender

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

_SAME = 1e-6
"""Part of a value, and of a VM's range, below which a difference is the rounding of float32."""


class Score:
    """Sums over VMs; every judged step of every VM weighs the same."""

    def __init__(self, contender: Contender):
        self.contender = contender
        self.forecasts = 0
        self.per_vm: dict[str, float] = {}
        self._steps = [Rmse(1) for _ in range(contender.horizon)]
        shape = (len(contender.quantiles), len(RESOURCES))
        self._above, self._counted = np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def add_points(self, vm: str, forecast: Floats, truth: Floats) -> None:
        """Add one VM: both float32[n, horizon, 4] in the judged space."""
        self.forecasts += len(truth)
        own = Rmse(truth.shape[1])
        own.add(forecast, truth)
        self.per_vm[vm] = own.multivariate()
        for ahead, errors in enumerate(self._steps):
            errors.add(forecast[:, ahead : ahead + 1], truth[:, ahead : ahead + 1])

    def add_quantile(self, number: int, forecast: Floats, truth: Floats, span: Floats) -> None:
        """Add one VM's forecasts of one quantile: float32[n, horizon, 4] in own units, not clipped.

        ``span`` float32[4] is the VM's range in its training part; where it is 0 nothing is counted, since
        what never changed has no scale to be judged in.
        """
        slack = _SAME * (span + np.abs(truth))
        above = (truth - forecast > slack).sum(axis=(0, 1))
        moves = span > 0
        self._above[number] += np.where(moves, above, 0)
        self._counted[number] += np.where(moves, truth.shape[0] * truth.shape[1], 0)

    def rmse(self) -> Doubles:
        """float64[horizon, 4] in the judged space. Raises ``Inconclusive`` if nothing was added."""
        return np.array([errors.per_resource() for errors in self._steps])

    def quantile_shares(self) -> tuple[QuantileShare, ...]:
        """Share of the judged steps above each forecast quantile."""
        shares = []
        for quantile, above, counted in zip(
            self.contender.quantiles, self._above, self._counted, strict=True
        ):
            each = {name: _share(above[i], counted[i]) for i, name in enumerate(RESOURCES)}
            shares.append(
                QuantileShare(quantile=quantile, above=each, above_all=_share(above.sum(), counted.sum()))
            )
        return tuple(shares)


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
