"""The training loop: MAE, Adam, early stopping on validation windows (§7), a checkpoint after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from testbedctl import __version__
from testbedctl.errors import RunFailed, UsageError
from testbedctl.forecast.models.registry import build
from testbedctl.forecast.training.document import Epoch, ModelDocument
from testbedctl.forecast.training.material import Material, prepare
from testbedctl.forecast.training.torch_there import require_torch
from testbedctl.forecast.training.trained import CHECKPOINT, MODEL, TrainedModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from testbedctl.forecast.protocol.windows import WindowIndex
    from testbedctl.forecast.series import Dataset
    from testbedctl.forecast.training.config import TrainingConfig
    from testbedctl.forecast.training.course import Course, Identity

__all__ = ["Epoch", "StopTraining", "TrainedModel", "train"]

Observe = Callable[[Epoch], None]
_BATCH = 4096  # windows that are validated at a time


class StopTraining(Exception):
    """Raised by an observer: the training ends after this epoch, with the best weights so far."""


def train(
    config: TrainingConfig,
    dataset: Dataset,
    directory: Path,
    *,
    observe: Observe,
    vms: Sequence[str] | None = None,
    warm_start: Path | None = None,
    resume: bool = True,
) -> TrainedModel:
    """Train a model on the first part of the VMs (all, or those named), and write it to ``directory``.

    ``observe`` is called after each epoch, when its checkpoint is on the disk. The checkpoint goes when the
    training has ended by itself; after ``StopTraining`` it stays, so that the training can go on. With
    ``resume`` a checkpoint there is gone on from, with the same result as without the interruption, and a
    model that is whole is left alone; without it both are replaced. ``warm_start``: the directory of a model
    whose weights this one begins with.

    The number of torch's threads belongs to the training: another one adds up in another order.

    Raises ``UsageError`` if the directory holds another training or a whole model, or if the model to begin
    with does not fit; ``Inconclusive`` for too little data; ``InvalidFile`` for values that are not finite;
    ``RunFailed`` for a loss that is not finite and for a full disk; ``HostUnfit`` without torch.
    """
    require_torch()
    checkpoint = directory / CHECKPOINT
    if resume and not checkpoint.exists() and (directory / MODEL).exists():
        raise UsageError(
            f"{directory} holds a trained model already", hint="give another directory, or remove this one"
        )
    beginning = TrainedModel.load(warm_start) if warm_start else None
    course = _course(config, dataset, beginning)
    material = prepare(config, dataset, vms)
    identity = _identity(config, dataset, material, beginning)
    _make(directory)
    if resume and checkpoint.exists():
        course.restore(checkpoint, identity)
    stopped = _run(config, material, course, observe, lambda: course.save(checkpoint, identity))
    document = _document(config, dataset, material, course, beginning)
    trained = TrainedModel(document, course.best)
    trained.save(directory)
    if not stopped:
        checkpoint.unlink(missing_ok=True)
    return trained


def _identity(
    config: TrainingConfig, dataset: Dataset, material: Material, beginning: TrainedModel | None
) -> Identity:
    import torch

    return {
        **config.model_dump(mode="json"),
        "data set": dataset.sha256,
        "VMs": list(material.vms),
        "warm start": beginning.document.weights_sha256 if beginning else None,
        "threads": torch.get_num_threads(),
    }


def _course(config: TrainingConfig, dataset: Dataset, beginning: TrainedModel | None) -> Course:
    import torch

    from testbedctl.forecast.training.course import Course, seed_all

    seed_all(config.seed)
    model = build(config.model, config.window, config.horizon, config.quantiles, **config.options)
    if getattr(model, "bounded", False) and config.scaling == "none" and dataset.units == "trace":
        raise UsageError(
            f"the model {config.model} forecasts values from 0 to 1, and the data set {dataset.name} has "
            "absolute ones",
            hint="scale them: per-vm or global",
        )
    if beginning:
        _check_fits(beginning, config, dataset)
        model.load_state_dict(beginning.weights)
    return Course(model, torch.optim.Adam(model.parameters(), lr=config.learning_rate))


def _check_fits(beginning: TrainedModel, config: TrainingConfig, dataset: Dataset) -> None:
    """Raises ``UsageError`` if the weights are of another model, or learned something else."""
    before, now = beginning.config, config
    there = {key: getattr(before, key) for key in ("model", "window", "horizon", "quantiles", "options")}
    here = {key: getattr(now, key) for key in there}
    there |= {"step_s": beginning.step_s, "units": beginning.units}
    here |= {"step_s": dataset.step_s, "units": dataset.units}
    differing = [f"{key}: {there[key]} there, {here[key]} now" for key in there if there[key] != here[key]]
    if differing:
        raise UsageError(
            f"a training cannot begin with the weights of another kind of model ({'; '.join(differing)})",
            hint="take the same model, window, horizon, quantiles, options and kind of data, or begin anew",
        )


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot write to {directory}: {(error.strerror or str(error)).lower()}",
            hint="name a directory that you may write to",
        ) from error


def _run(
    config: TrainingConfig,
    material: Material,
    course: Course,
    observe: Observe,
    keep: Callable[[], None],
) -> bool:
    """Epochs until the last one, or until patience ends; whether the observer has stopped it."""
    while len(course.history) < config.epochs and course.waited() < config.patience:
        course.record(_epoch(config, material, course))
        keep()
        try:
            observe(course.history[-1])
        except StopTraining:
            return True
    return False


def _epoch(config: TrainingConfig, material: Material, course: Course) -> Epoch:
    number, begun = len(course.history) + 1, time.monotonic()
    random = np.random.default_rng([config.seed, number])
    many = min(config.windows_per_epoch or len(material.learning), len(material.learning))
    order = random.choice(len(material.learning), size=many, replace=False)
    course.model.train()
    total, per_epoch = 0.0, math.ceil(many / config.batch_size)
    for done, (size, batch) in enumerate(_batches(material.learning, order, config.batch_size)):
        course.set_rate(config, (number - 1 + done / per_epoch) / config.epochs)
        loss = _loss(course.model, *batch)
        _check_finite(loss, number, "learning")
        course.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        course.optimizer.step()
        total += loss.item() * size
    validation = _validation_loss(course.model, material.validation, number)
    return Epoch(number, total / many, validation, time.monotonic() - begun)


def _validation_loss(model: nn.Module, index: WindowIndex, number: int) -> float:
    import torch

    model.eval()
    total = 0.0
    with torch.no_grad():
        for many, batch in _batches(index, np.arange(len(index)), _BATCH):
            loss = _loss(model, *batch)
            _check_finite(loss, number, "validation")
            total += loss.item() * many
    return total / len(index)


def _batches(index: WindowIndex, order: Any, size: int) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
    """The number of windows of each batch, and the batch: history and target."""
    import torch

    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        history, target = index.batch(chosen)
        yield len(chosen), (torch.from_numpy(history), torch.from_numpy(target))


def _loss(model: nn.Module, history: Tensor, target: Tensor) -> Tensor:
    """The model's own loss if it has one, else the mean absolute error of its point forecast (§7)."""
    output = model(history)
    own = getattr(model, "loss", None)
    loss: Tensor = own(output, target, history) if own else (output[..., 0] - target).abs().mean()
    return loss


def _check_finite(loss: Tensor, number: int, where: str) -> None:
    if not math.isfinite(loss.item()):
        raise RunFailed(
            f"the loss is {loss.item()} in epoch {number} ({where}): the training has run away",
            hint="a smaller learning_rate in the configuration, or scaled data; and another directory",
        )


def _document(
    config: TrainingConfig,
    dataset: Dataset,
    material: Material,
    course: Course,
    beginning: TrainedModel | None,
) -> ModelDocument:
    import torch

    return ModelDocument(
        config=config,
        dataset_name=dataset.name,
        dataset_sha256=dataset.sha256,
        step_s=dataset.step_s,
        units=dataset.units,
        features=dict(dataset.features),
        scaler=material.scaler.as_document(),
        vms=material.vms,
        skipped=material.skipped,
        history=tuple(course.history),
        parameters=sum(each.numel() for each in course.model.parameters() if each.requires_grad),
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
        tool=__version__,
        warm_start_sha256=beginning.document.weights_sha256 if beginning else None,
        ancestors=beginning.document.lineage if beginning else (),
    )
