"""The persistence forecaster: what is now, stays. The baseline that every model has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbedctl.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


class Persistence:
    """Predicts the last value for the whole horizon, and every quantile equal to it."""

    def __init__(self, step_s: float = 1.0, horizon: int = 1):
        """``step_s``: seconds between samples; ``horizon``: steps ahead."""
        if not step_s > 0 or horizon < 1:
            raise UsageError(
                f"persistence forecaster with step_s={step_s}, horizon={horizon}",
                hint="step_s must be above 0 seconds and horizon at least 1 step",
            )
        self.step_s = step_s
        self.window = 1
        self.horizon = horizon
        self.quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)

    def predict(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From ``float32[vnf, window, 4]`` to mean ``[vnf, horizon, 4]`` and quantiles
        ``[vnf, horizon, 4, 3]``, all equal to the last value. Raises ``ValueError`` for another shape."""
        import numpy as np

        if history.ndim != 3 or history.shape[1] < self.window or history.shape[2] != 4:
            raise ValueError(f"history must have the shape [vnf, window >= 1, 4], got {history.shape}")
        mean = np.repeat(history[:, -1:, :], self.horizon, axis=1)
        return mean, np.repeat(mean[..., np.newaxis], len(self.quantiles), axis=-1)
