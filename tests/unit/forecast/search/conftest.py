"""Searches of the tests: tiny models on made-up usage, on one thread, and only where Optuna and torch are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.forecast.trained import NO_TORCH
from unit.forecast.usage import series

from testbedctl.forecast.dataset.store import open_dataset, save_dataset
from testbedctl.forecast.search.space import Parameter, Space
from testbedctl.forecast.search.worker import Assignment
from testbedctl.forecast.series import Series
from testbedctl.forecast.training.config import TrainingConfig

BASE = TrainingConfig(epochs=3, batch_size=64, options={"cells": 4, "dense": [4]})
SPACE = Space(
    base=BASE,
    parameters={
        "learning_rate": Parameter(low=1e-4, high=1e-1, log=True),
        "window": Parameter(choices=(2, 3)),
        "options.dense": Parameter(choices=([4], [6, 4])),
        "options.cells": Parameter(low=2, high=8, step=2),
    },
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread, as the workers in processes of their own have it."""
    pytest.importorskip("optuna", reason="optuna is not installed: pip install 'testbedctl[train]'")
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """A data set of two VNFs."""
    return write_waves(tmp_path / "waves")


def write_waves(path: Path, *, later: float = 1.0) -> Path:
    """The data set; ``later`` multiplies what comes after the first 80 % of each VNF."""
    parts = []
    for vm in ("a", "b"):
        part = series(vm, step_s=1.0)
        values = part.values / part.values.max(axis=0)
        values[int(0.8 * len(values)) :] *= later
        parts.append(Series(vm, part.unix_s, values))
    save_dataset(path, parts, name="waves", source="made up")
    return path


@pytest.fixture
def assigned(waves: Path, tmp_path: Path) -> Callable[..., Assignment]:
    """An assignment of four trials, or what the arguments say."""

    def make(storage: str = "search.journal", **changes: Any) -> Assignment:
        plain: dict[str, Any] = {
            "dataset": waves,
            "vms": None,
            "space": SPACE,
            "storage": tmp_path / storage,
            "seed": 0,
            "trials": 4,
            "seconds": None,
        }
        asked = {**plain, **changes}
        return Assignment(dataset_sha256=open_dataset(asked["dataset"]).sha256, **asked)

    return make
