"""The forecast that a policy makes for itself when the observation brings none."""

from __future__ import annotations

import math
from collections import deque

from testbedctl.ports import RESOURCES, Forecaster, Observation

GAP_STEPS = 2.5


class History:
    """The last ``window`` samples of every VNF, and what the forecaster makes of them."""

    def __init__(self, forecaster: Forecaster):
        self._forecaster = forecaster
        self._samples: dict[str, deque[list[float]]] = {}
        self._at_s: float | None = None

    def forecast(self, observation: Observation) -> dict[str, dict[str, float]]:
        """Take in the observation; the highest usage predicted within the horizon, per VNF and resource.

        A VNF without a whole window of measured values has no entry, nor has a value that is not a number.
        """
        self._take(observation)
        window = self._forecaster.window
        ready = [key for key, samples in self._samples.items() if len(samples) == window]
        if not ready:
            return {}
        import numpy as np

        mean, _ = self._forecaster.predict(np.array([self._samples[key] for key in ready], dtype=np.float32))
        peaks = np.asarray(mean).max(axis=1).tolist()
        return {key: _finite(row) for key, row in zip(ready, peaks, strict=True)}

    def _take(self, observation: Observation) -> None:
        gap_s = observation.at_s - self._at_s if self._at_s is not None else 0.0
        self._at_s = observation.at_s
        if not 0 <= gap_s <= GAP_STEPS * self._forecaster.step_s:
            self._samples.clear()
        known, self._samples = self._samples, {}
        for key, vnf in observation.vnfs.items():
            row = [vnf.usage.get(resource, 0.0) for resource in RESOURCES]
            if "cpu" in vnf.usage and all(math.isfinite(value) for value in row):
                self._samples[key] = known.get(key) or deque(maxlen=self._forecaster.window)
                self._samples[key].append(row)


def _finite(row: list[float]) -> dict[str, float]:
    return {name: value for name, value in zip(RESOURCES, row, strict=True) if math.isfinite(value)}
