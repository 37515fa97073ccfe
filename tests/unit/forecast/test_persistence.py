"""The persistence forecaster."""

from __future__ import annotations

import numpy as np
import pytest

from testbedctl.errors import UsageError
from testbedctl.forecast.persistence import Persistence
from testbedctl.ports import Forecaster


def test_the_last_value_stays_for_the_whole_horizon_in_every_quantile() -> None:
    forecaster: Forecaster = Persistence(horizon=5)
    history = np.random.default_rng(1).random((3, 7, 4), dtype=np.float32)
    mean, quantiles = forecaster.predict(history)
    assert mean.shape == (3, 5, 4)
    assert quantiles.shape == (3, 5, 4, len(forecaster.quantiles))
    for step in range(5):
        assert np.array_equal(mean[:, step], history[:, -1])
        for quantile in range(len(forecaster.quantiles)):
            assert np.array_equal(quantiles[:, step, :, quantile], history[:, -1])


def test_no_vnfs_no_forecast() -> None:
    mean, _ = Persistence().predict(np.zeros((0, 1, 4), dtype=np.float32))
    assert mean.shape == (0, 1, 4)


@pytest.mark.parametrize("shape", [(3, 4), (3, 0, 4), (3, 1, 3)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        Persistence().predict(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize(("step_s", "horizon"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0)])
def test_options_out_of_range_are_usage_errors(step_s: float, horizon: int) -> None:
    with pytest.raises(UsageError, match="persistence"):
        Persistence(step_s, horizon)
