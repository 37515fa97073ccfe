"""What a training is made of: windows to learn from, windows to stop by, and the scaler of both.

The last part of each VM, the one that models are judged on, is cut off first and not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbedctl.errors import Inconclusive
from testbedctl.forecast.protocol.scaling import Scaler
from testbedctl.forecast.protocol.split import split, with_history
from testbedctl.forecast.protocol.windows import WindowIndex
from testbedctl.forecast.training.sample import named

if TYPE_CHECKING:
    from testbedctl.forecast.series import Dataset, Series
    from testbedctl.forecast.training.config import TrainingConfig


@dataclass(frozen=True)
class Material:
    """Scaled windows. ``vms`` are those that were asked for, ``skipped`` those of them that are too short, or
    too full of gaps, for a single window to learn from."""

    scaler: Scaler
    learning: WindowIndex
    validation: WindowIndex
    vms: tuple[str, ...]
    skipped: tuple[str, ...]


def prepare(config: TrainingConfig, dataset: Dataset, vms: Sequence[str] | None = None) -> Material:
    """The material of a training, of all VMs or of those named.

    Raises ``Inconclusive`` if there is no window to learn from or to stop by, ``InvalidFile`` for values that
    are not finite, ``UsageError`` for an unknown VM.
    """
    chosen = named(dataset, [series.vm for series in dataset.series] if vms is None else vms)
    by_name = {series.vm: series for series in dataset.series}
    training = [split(by_name[vm], config.train_share)[0] for vm in chosen]
    scaler = Scaler.fit(config.scaling, training)
    early, late = _halves(config, [scaler.scale(part) for part in training if len(part.unix_s)])
    learning, validation = (
        WindowIndex(parts, config.window, config.horizon, dataset.step_s) for parts in (early, late)
    )
    for index, purpose in ((learning, "learn from"), (validation, "stop the training by")):
        if not len(index):
            raise _too_little(config, dataset, purpose)
    learned = learning.vms_with_windows()
    skipped = tuple(vm for vm in chosen if vm not in learned)
    return Material(scaler, learning, validation, chosen, skipped)


def _halves(config: TrainingConfig, parts: Sequence[Series]) -> tuple[list[Series], list[Series]]:
    """Of each training part the first rows to learn from, and the last ones to stop by."""
    cut = [split(part, 1 - config.validation_share) for part in parts]
    return [early for early, _ in cut], [with_history(early, late, config.window) for early, late in cut]


def _too_little(config: TrainingConfig, dataset: Dataset, purpose: str) -> Inconclusive:
    return Inconclusive(
        f"the data set {dataset.name} has no window to {purpose}: a window of {config.window} and a horizon "
        f"of {config.horizon} need {config.window + config.horizon} consecutive steps of "
        f"{dataset.step_s:g} s",
        hint="take a shorter window or horizon, or more data: every VM is too short or too full of gaps",
    )
