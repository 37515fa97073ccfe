"""Which VMs are too unlike the others to have a say in the limits of the types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbedctl.spec.classes import Range

if TYPE_CHECKING:
    import numpy as np

PERCENTILES = (1, 99)
FACTOR = 4
"""So many times beyond these percentiles a VM is an outlier."""


def ordinary_range(values: np.ndarray) -> Range:
    """From a quarter of the 1st to four times the 99th percentile of positive ``values`` (float64[vm]).

    Percentiles are taken on the logarithm, since sizes of VMs double. Rules by quartiles fail here: where
    half of a cloud has one core, they call all the rest outliers. Of the data that it was made from, this one
    names at most one VM in a hundred on either side.
    """
    import numpy as np

    low, high = 2 ** np.percentile(np.log2(values), PERCENTILES)
    return Range(low=float(low / FACTOR), high=float(high * FACTOR))


def outside(values: np.ndarray, ordinary: Range) -> np.ndarray:
    """bool[vm]: which of ``values`` are outliers; the bounds are none, whatever rounding makes of them."""
    tolerance = 1e-9
    result: np.ndarray = (values < ordinary.low * (1 - tolerance)) | (
        values > ordinary.high * (1 + tolerance)
    )
    return result
