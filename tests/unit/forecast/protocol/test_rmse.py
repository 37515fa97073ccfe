"""The error: pooled over windows, then the uniform mean of the four resources."""

from __future__ import annotations

import numpy as np
import pytest

from testbedctl.errors import Inconclusive
from testbedctl.forecast.protocol.rmse import Rmse, rmse

TRUTH = np.zeros((2, 1, 4), np.float32)
FORECAST = np.array([[[3, 1, 0, 0]], [[4, 1, 0, 2]]], np.float32)


def test_each_resource_by_itself() -> None:
    assert rmse(FORECAST, TRUTH) == pytest.approx([12.5**0.5, 1, 0, 2**0.5])


def test_the_multivariate_error_is_the_uniform_mean() -> None:
    errors = Rmse(1)
    errors.add(FORECAST, TRUTH)
    assert errors.multivariate() == pytest.approx((12.5**0.5 + 1 + 2**0.5) / 4)


def test_every_window_weighs_the_same_whatever_vm_it_is_of() -> None:
    random = np.random.default_rng(3)
    forecast, truth = random.random((2, 90, 3, 4), dtype=np.float32)
    errors = Rmse(3)
    errors.add(forecast[:70], truth[:70])
    errors.add(forecast[70:], truth[70:])
    assert errors.count == 90
    assert errors.per_resource() == pytest.approx(rmse(forecast, truth))
    assert errors.per_resource() == pytest.approx(np.sqrt(((forecast - truth) ** 2).mean(axis=(0, 1))))


def test_by_step_tells_how_the_error_grows() -> None:
    errors = Rmse(2)
    forecast = np.zeros((5, 2, 4), np.float32)
    forecast[:, 1] = 0.5
    errors.add(forecast, np.zeros_like(forecast))
    assert errors.by_step() == pytest.approx([0, 0.5])


def test_nothing_judged_is_no_error_of_zero() -> None:
    with pytest.raises(Inconclusive, match="no window"):
        Rmse(1).multivariate()
    with pytest.raises(Inconclusive, match="no window"):
        rmse(np.zeros((0, 1, 4), np.float32), np.zeros((0, 1, 4), np.float32))


@pytest.mark.parametrize("shape", [(2, 4), (2, 2, 4), (2, 1, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Rmse(1).add(np.zeros(shape, np.float32), TRUTH)
