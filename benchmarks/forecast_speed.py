"""How long a forecast takes on the way that the balancer takes it; torch and persistence beside it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.table import Row, spread
from testbedctl.forecast.persistence import Persistence
from testbedctl.forecast.runtime.onnx_forecaster import SHIPPED, OnnxForecaster, testbed_forecaster

if TYPE_CHECKING:
    from testbedctl.forecast.series import Dataset

MANY = 10_000
RUNS = 7
CALLS = 200
"""Calls with one VNF that make one run: a single one is too short for the clock."""

Predict = Callable[[np.ndarray], object]


def measure() -> list[Row]:
    """One VNF and 10,000 in one batch, on one thread, all peers in turn in each run."""
    with _model_file() as (path, which):
        forecaster = testbed_forecaster(str(path))
        peers: dict[str, Predict] = {f"onnxruntime, {which}": forecaster.predict}
        if find_spec("torch"):
            peers["the same weights in torch"] = _torch(path)
        peers["persistence, in numpy"] = Persistence(horizon=forecaster.horizon).predict
        one, many = (_timed(peers, forecaster, count) for count in (1, MANY))
    return [*_rows("one prediction", one, 1.0), *_rows("10,000 VNFs in one batch", many, 100.0)]


def _timed(peers: dict[str, Predict], forecaster: OnnxForecaster, count: int) -> dict[str, list[float]]:
    """Milliseconds of CPU of a call with so many VNFs, of each run; every peer is called once before.

    CPU time, because it is what one core takes also where the core is shared with others.
    """
    history = np.random.default_rng(0).random((count, forecaster.window, 4), dtype=np.float32)
    calls = CALLS if count == 1 else 1
    found: dict[str, list[float]] = {name: [] for name in peers}
    for predict in peers.values():
        predict(history)
    for _ in range(RUNS):
        for name, predict in peers.items():
            begun = time.process_time()
            for _ in range(calls):
                predict(history)
            found[name].append((time.process_time() - begun) / calls * 1000)
    return found


def _rows(what: str, found: dict[str, list[float]], limit_ms: float) -> list[Row]:
    (ours, values), *peers = found.items()
    asked = f"≤ {limit_ms:g} ms of one core"
    rows = [Row(f"{what}: {ours}", asked, spread(values, "ms", 3), median(values) <= limit_ms)]
    return rows + [Row(f"{what}: {name}", "", spread(its, "ms", 3), None) for name, its in peers]


def _torch(path: Path) -> Predict:
    """The graph's own computation, scaler and all, run by torch on one thread."""
    import torch

    from testbedctl.forecast.runtime.export import runnable, trainable

    torch.set_num_threads(1)
    module = runnable(trainable(path))

    def predict(history: np.ndarray) -> object:
        with torch.inference_mode():
            return module(torch.from_numpy(history))

    return predict


@contextmanager
def _model_file() -> Iterator[tuple[Path, str]]:
    """The shipped model; where there is none, one like it over 24 steps, trained for an epoch."""
    if SHIPPED.exists():
        yield SHIPPED, "the shipped model"
        return
    from testbedctl.forecast.runtime.export import export
    from testbedctl.forecast.training.config import TrainingConfig
    from testbedctl.forecast.training.trainer import train

    config = TrainingConfig(
        model="change", window=24, horizon=6, quantiles=(0.1, 0.5, 0.9), scaling="none", epochs=1
    )
    with tempfile.TemporaryDirectory(prefix="testbedctl-benchmark-") as name:
        model = train(config, _waves(), Path(name) / "model", observe=lambda _: None)
        export(model, Path(name) / "model.onnx", metrics={})
        yield Path(name) / "model.onnx", "`change`, window 24, horizon 6 (no model is shipped)"


def _waves() -> Dataset:
    from testbedctl.forecast.dataset.features import feature_names
    from testbedctl.forecast.series import Dataset, Series

    at = np.arange(1000.0)
    values = np.repeat(0.5 + 0.4 * np.sin(at / 5)[:, None], 4, axis=1).astype(np.float32)
    return Dataset("waves", 1.0, "allotment", feature_names("allotment"), "", (Series("a", at, values),))
