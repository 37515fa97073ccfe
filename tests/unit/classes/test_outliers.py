"""Which VMs have no say in the limits."""

from __future__ import annotations

import numpy as np

from testbedctl.classes.outliers import ordinary_range, outside
from testbedctl.spec.classes import Range


def test_sizes_that_double_are_ordinary_and_a_giant_is_not() -> None:
    sizes = np.array([1] * 40 + [2] * 20 + [4] * 20 + [8] * 10 + [32] * 2 + [1000], dtype=np.float64)
    assert sizes[outside(sizes, ordinary_range(sizes))].tolist() == [1000]


def test_the_range_is_four_times_the_percentiles() -> None:
    found = ordinary_range(2.0 ** np.arange(101))
    assert np.allclose((found.low, found.high), (2 / 4, 4 * 2.0**99))


def test_a_cloud_of_one_size_with_some_larger_ones_has_no_outliers() -> None:
    sizes = np.array([1] * 80 + [8] * 15 + [32] * 5, dtype=np.float64)
    assert not outside(sizes, ordinary_range(sizes)).any()


def test_the_bounds_are_ordinary() -> None:
    values = np.array([0.1, 0.125, 32, 32.1])
    assert outside(values, Range(low=0.125, high=32)).tolist() == [True, False, False, True]
