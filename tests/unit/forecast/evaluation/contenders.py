"""Contenders of the tests, whose forecasts are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from unit.forecast.usage import dataset, series

from testbedctl.forecast.evaluation.contender import Contender
from testbedctl.forecast.evaluation.contest import run
from testbedctl.forecast.evaluation.result import Evaluation, Judgement
from testbedctl.forecast.series import Dataset, Series

WAVES = dataset(series("a", 300), series("b", 300))
"""60 judged steps each, most of them without a day behind them."""


def last(horizon: int = 1, quantiles: int = 0) -> Callable[[Any], Any]:
    """What is now stays, and every quantile equals it."""
    return lambda windows: np.repeat(windows[:, -1:, :, np.newaxis], horizon, axis=1).repeat(
        1 + quantiles, axis=-1
    )


def contender(name: str = "mine", **about: Any) -> Contender:
    """Persistence under another name, or what ``about`` says."""
    horizon = about.get("horizon", 1)
    plain: dict[str, Any] = {
        "kind": "model",
        "space": "scaled",
        "window": 3,
        "horizon": horizon,
        "predict": last(horizon, len(about.get("quantiles", ()))),
        "scaling": "per-vm",
        "trained_on": frozenset(),
    }
    return Contender(name, **{**plain, **about})


def judged(*models: Contender, data: Dataset = WAVES, **more: Any) -> Judgement:
    """The judgement on all VMs."""
    return run(models, data, [each.vm for each in data.series], **more).judgement


def noise(vm: str, rows: int = 1000, constant: bool = False) -> Series:
    """Evenly distributed between 0 and 1000; the network is always 7 if ``constant``."""
    values = np.random.default_rng([1, *vm.encode()]).random((rows, 4)).astype(np.float32) * 1000
    if constant:
        values[:, 3] = 7
    return Series(vm, 1.4e9 + 300.0 * np.arange(rows), values)


def evaluation(*judgements: Judgement) -> Evaluation:
    """The document around judgements, at a fixed time."""
    return Evaluation(created="2026-01-01T00:00:00Z", tool="test", judgements=judgements)
