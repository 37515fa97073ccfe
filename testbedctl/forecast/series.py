"""What a forecaster learns from: the usage of VMs or VNFs over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Units = Literal["trace", "allotment"]
"""``trace``: absolute values as a public trace has them (MHz, KB, KB/s); ``allotment``: usage ÷ the VNF's own
allotment, which is what the testbed measures. A model made for one is refused for the other."""


@dataclass(frozen=True)
class Series:
    """One VM or VNF: ``unix_s`` float64[n], strictly increasing; ``values`` float32[n, 4] in the order of
    ``ports.RESOURCES``, in the data set's units, without NaN."""

    vm: str
    unix_s: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Series that have one step and one kind of unit.

    ``features`` maps each of ``ports.RESOURCES`` to the source's column (``cpu_usage_mhz``, ``cpu_ratio`` …);
    ``sha256`` is the hash of the samples file, by which a model names what it was trained on.
    """

    name: str
    step_s: float
    units: Units
    features: Mapping[str, str]
    sha256: str
    series: tuple[Series, ...]
