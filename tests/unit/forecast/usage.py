"""Made-up usage of VMs: seeded waves with noise, no two resources alike."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from testbedctl.forecast.series import Dataset, Series, Units

STEP_S = 300.0
SHARED_DATA = Path(
    os.environ.get("TESTBEDCTL_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data"
)


def series(vm: str = "a", rows: int = 200, *, seed: int = 0, step_s: float = STEP_S) -> Series:
    """A VM of a public trace: MHz, KB, KB/s and KB/s."""
    random = np.random.default_rng([seed, *vm.encode()])
    wave = np.sin(np.arange(rows)[:, np.newaxis] / np.array([5.0, 17.0, 9.0, 6.0]) + len(vm))
    values = (1.2 + wave + 0.2 * random.random((rows, 4))) * np.array([900.0, 3e6, 40.0, 75.0])
    return Series(vm, 1.4e9 + step_s * np.arange(rows), values.astype(np.float32))


def dataset(*parts: Series, units: Units = "trace", sha256: str = "1" * 64) -> Dataset:
    """A data set of these series; of two VMs without any."""
    return Dataset(
        "waves", STEP_S, units, {"cpu": "cpu_usage_mhz"}, sha256, parts or (series("a"), series("b"))
    )


def changed(before: Series, rows: slice, column: int, value: float) -> Series:
    """The series with other values in some rows of one resource."""
    values = before.values.copy()
    values[rows, column] = value
    return Series(before.vm, before.unix_s, values)
