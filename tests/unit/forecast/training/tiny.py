"""A training that takes a tenth of a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unit.forecast.usage import dataset

from testbedctl.forecast.series import Dataset
from testbedctl.forecast.training.config import TrainingConfig
from testbedctl.forecast.training.trainer import Epoch, TrainedModel, train

WAVES = dataset()
TINY: dict[str, Any] = {"epochs": 5, "batch_size": 64, "options": {"cells": 6, "dense": [5]}}


def config(**changes: Any) -> TrainingConfig:
    """Five epochs of an LSTM with six cells."""
    return TrainingConfig(**{**TINY, **changes})


def trained(
    directory: Path,
    data: Dataset = WAVES,
    *,
    seen: list[Epoch] | None = None,
    vms: Sequence[str] | None = None,
    warm_start: Path | None = None,
    resume: bool = True,
    **changes: Any,
) -> TrainedModel:
    """Such a training; ``seen`` collects its epochs."""
    observe = seen.append if seen is not None else lambda _: None
    asked = config(**changes)
    return train(asked, data, directory, observe=observe, vms=vms, warm_start=warm_start, resume=resume)


def same_weights(one: TrainedModel, other: TrainedModel) -> bool:
    """Whether the weights are the same to the last bit."""
    return one.weights.keys() == other.weights.keys() and all(
        one.weights[name].equal(other.weights[name]) for name in one.weights
    )
