"""What is in a data set: the spread of each feature, and how the features go together."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from testbedctl.errors import Inconclusive
from testbedctl.forecast.dataset.arrays import numbers
from testbedctl.forecast.dataset.features import COLUMNS, NEEDED, PARTS
from testbedctl.forecast.dataset.manifest import Manifest
from testbedctl.forecast.dataset.moments import Moments
from testbedctl.forecast.dataset.store import column_sum, opened_samples
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

NETWORK = "network_kbps"
"""Received and transmitted together: the paper's network throughput."""

_BOTH = PARTS["trace"]["network"]
STEADY = 0.01
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BATCH_ROWS = 100_000


@dataclass(frozen=True)
class Spread:
    """One feature over all rows. ``quantiles`` are those of ``QUANTILES``, ``zeros`` the share of zeros;
    ``steady_vms`` is the share of VMs in which its standard deviation is at most ``STEADY`` of its mean."""

    mean: float
    quantiles: tuple[float, ...]
    low: float
    high: float
    zeros: float
    steady_vms: float


@dataclass(frozen=True)
class Description:
    """``pooled``: Pearson's r over all rows; ``within``: the median over the VMs of each VM's own r; both
    float64[k, k] in the order of ``spreads``, NaN where a feature is constant. ``rows`` have all features and
    count for them; ``partial`` are columns that were left out because only some VMs have them."""

    manifest: Manifest
    spreads: dict[str, Spread]
    pooled: NDArray[np.float64]
    within: NDArray[np.float64]
    rows: int
    partial: tuple[str, ...]

    @property
    def kept(self) -> dict[str, str]:
        """The feature of each resource that a forecaster learns from (predictive-slicing paper, §4)."""
        parts = PARTS[self.manifest.units]
        return {r: parts[r][0] if len(parts[r]) == 1 else NETWORK for r in RESOURCES}

    def with_network(self, feature: str) -> tuple[float, float]:
        """Pooled and within-VM correlation of a feature with the network throughput."""
        names = list(self.spreads)
        row, column = names.index(feature), names.index(self.kept["network"])
        return float(self.pooled[row, column]), float(self.within[row, column])


def strength(correlation: float) -> str:
    """The usual words for Pearson's r; the paper says "moderate" and gives no number."""
    size = abs(round(correlation, 2))  # as it is shown: 0.30 is not called weak
    if not np.isfinite(size):
        return "constant"
    return "weak" if size < 0.3 else "moderate" if size < 0.7 else "strong"


def describe(path: Path) -> Description:
    """Describe the data set in ``path``. Rows without one of its features are left out of the correlations.

    Raises Inconclusive if no row has all features, and as ``store.open_dataset``.
    """
    manifest, samples = opened_samples(path)
    shares = {name: _vms_with(samples, manifest, name) for name in COLUMNS[manifest.units]}
    needed = NEEDED[manifest.units]
    columns = [name for name, share in shares.items() if share == 1 or name in needed]
    owns = list(_moments(samples, manifest, columns))
    if not owns:
        raise Inconclusive(f"no row of {path} has all of {', '.join(columns)}")
    together = reduce(add, owns)
    steady = np.mean([~own.varies_by_more_than(STEADY) for own in owns], axis=0)
    return Description(
        manifest,
        {
            name: _spread(_values(samples, name), float(share))
            for name, share in zip(_features(columns), steady, strict=True)
        },
        together.correlation(),
        _median([own.correlation() for own in owns]),
        together.rows,
        tuple(name for name, share in shares.items() if 0 < share < 1 and name not in needed),
    )


def _vms_with(samples: pq.ParquetFile, manifest: Manifest, column: str) -> float:
    """The share of VMs that have a value in a column."""
    there = np.isfinite(column_sum(samples, [column]))
    first = np.cumsum([0, *(record.rows for record in manifest.vms.values())])[:-1]
    return float(np.logical_or.reduceat(there, first).mean())


def _features(columns: list[str]) -> list[str]:
    return [*columns, NETWORK] if set(_BOTH) <= set(columns) else columns


def _moments(samples: pq.ParquetFile, manifest: Manifest, columns: list[str]) -> Iterator[Moments]:
    """Those of each VM, read batch by batch: no more than a batch is held."""
    vms = iter([record.rows for record in manifest.vms.values()])
    left, own = next(vms), None
    for batch in samples.iter_batches(BATCH_ROWS, columns=columns):
        values = np.stack([numbers(pa.chunked_array([column])) for column in batch.columns], axis=1)
        if set(_BOTH) <= set(columns):
            both = values[:, [columns.index(name) for name in _BOTH]].sum(axis=1, keepdims=True)
            values = np.hstack([values, both])
        while len(values):
            part, values = values[:left], values[left:]
            left -= len(part)
            own = _joined(own, part[np.isfinite(part).all(axis=1)])
            if not left:
                if own is not None:
                    yield own
                left, own = next(vms, 0), None


def _joined(moments: Moments | None, values: NDArray[np.float64]) -> Moments | None:
    if not len(values):
        return moments
    return Moments.of(values) if moments is None else moments + Moments.of(values)


def _median(matrices: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The median of each cell over those where it is a number; NaN where it is one nowhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a feature that is constant in every VM
        return np.asarray(np.nanmedian(np.stack(matrices), axis=0))


def _values(samples: pq.ParquetFile, feature: str) -> NDArray[np.float64]:
    values = column_sum(samples, _BOTH if feature == NETWORK else [feature])
    return values[np.isfinite(values)]


def _spread(values: NDArray[np.float64], steady_vms: float) -> Spread:
    return Spread(
        mean=float(values.mean()),
        quantiles=tuple(np.quantile(values, QUANTILES).tolist()),
        low=float(values.min()),
        high=float(values.max()),
        zeros=float((values == 0).mean()),
        steady_vms=steady_vms,
    )
