"""Means and products of deviations, gathered part by part: what a correlation is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDING = 1e-12
"""A standard deviation below this part of the mean is what rounding makes of a constant."""


@dataclass(frozen=True)
class Moments:
    """Of ``rows`` rows: ``mean`` float64[k], ``products`` float64[k, k], the summed products of deviations.

    Parts are joined as Chan, Golub and LeVeque do (1979), so that nothing is lost far from zero.
    """

    rows: int
    mean: NDArray[np.float64]
    products: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Moments:
        """Of ``values`` float64[n, k], n at least 1."""
        mean = values.mean(axis=0)
        apart = values - mean
        return cls(len(values), mean, apart.T @ apart)

    def __add__(self, other: Moments) -> Moments:
        rows = self.rows + other.rows
        apart = other.mean - self.mean
        products = self.products + other.products + np.outer(apart, apart) * (self.rows * other.rows / rows)
        return Moments(rows, self.mean + apart * (other.rows / rows), products)

    def varies_by_more_than(self, ratio: float) -> NDArray[np.bool_]:
        """Which columns have a standard deviation above that ratio of their mean."""
        deviation = np.sqrt(np.diag(self.products) / self.rows)
        return np.asarray(deviation > ratio * np.abs(self.mean))

    def correlation(self) -> NDArray[np.float64]:
        """Pearson's r, float64[k, k]; NaN where a column is constant."""
        deviation = np.sqrt(np.diag(self.products))
        deviation[~self.varies_by_more_than(_ROUNDING)] = np.nan
        return np.asarray(np.clip(self.products / np.outer(deviation, deviation), -1.0, 1.0))
