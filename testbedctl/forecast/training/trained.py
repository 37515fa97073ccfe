"""A trained model and its directory: ``model.json``, which says all but the weights, and ``weights.pt``.

While it is trained, ``checkpoint.pt`` is beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.models.registry import build
from testbedctl.forecast.protocol.scaling import Scaler
from testbedctl.forecast.training.document import Epoch, ModelDocument
from testbedctl.forecast.training.packing import packed, unpacked, write_whole
from testbedctl.forecast.training.torch_there import require_torch
from testbedctl.records.files import json_text, parse_json, read_text, sync_directory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from testbedctl.forecast.series import Units
    from testbedctl.forecast.training.config import TrainingConfig

MODEL = "model.json"
WEIGHTS = "weights.pt"
CHECKPOINT = "checkpoint.pt"
_NEXT = ".next"
_BATCH = 4096  # windows that are predicted at a time: memory, and no result, depends on it


@dataclass(frozen=True)
class TrainedModel:
    """What a training has made. ``document`` is what ``model.json`` holds, ``weights`` those of the epoch
    with the least validation loss."""

    document: ModelDocument
    weights: Mapping[str, Tensor]

    @property
    def config(self) -> TrainingConfig:
        """How it was trained."""
        return self.document.config

    @property
    def step_s(self) -> float:
        """Seconds between two steps of the data."""
        return self.document.step_s

    @property
    def units(self) -> Units:
        """The units of the data it was trained on."""
        return self.document.units

    @property
    def features(self) -> Mapping[str, str]:
        """The source's column for each of ``ports.RESOURCES``."""
        return self.document.features

    @property
    def dataset_name(self) -> str:
        """The name of the data set it was trained on."""
        return self.document.dataset_name

    @property
    def dataset_sha256(self) -> str:
        """The hash of that data set's samples."""
        return self.document.dataset_sha256

    @property
    def vms(self) -> tuple[str, ...]:
        """The VMs of the data set it was trained on; a warm start may have seen others before."""
        return self.document.vms

    @property
    def history(self) -> list[Epoch]:
        """Every epoch, oldest first."""
        return list(self.document.history)

    @property
    def best(self) -> Epoch:
        """The epoch whose weights these are."""
        return self.document.best

    @property
    def parameters(self) -> int:
        """The number of weights that were learned."""
        return self.document.parameters

    @property
    def seconds(self) -> float:
        """Time of all epochs, validation included."""
        return sum(epoch.seconds for epoch in self.document.history)

    @cached_property
    def scaler(self) -> Scaler:
        """The scaler of its training part."""
        return Scaler.from_document(self.document.scaler)

    def module(self) -> nn.Module:
        """The torch module with its weights, in evaluation mode. Raises ``HostUnfit`` without torch."""
        return self._module

    @cached_property
    def _module(self) -> nn.Module:
        config = self.config
        module = build(config.model, config.window, config.horizon, config.quantiles, **config.options)
        module.load_state_dict(self.weights)
        return module.eval()

    def predict(self, history: NDArray[np.float32]) -> NDArray[np.float32]:
        """From scaled windows float32[n, window, 4] to float32[n, horizon, 4, 1 + quantiles], scaled too: the
        point forecast, then the quantiles. Raises ``ValueError`` for another shape."""
        import torch

        config = self.config
        if history.ndim != 3 or history.shape[1:] != (config.window, 4):
            raise ValueError(f"history must have the shape [n, {config.window}, 4], got {history.shape}")
        done = [np.zeros((0, config.horizon, 4, 1 + len(config.quantiles)), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(history), _BATCH):
                part = torch.from_numpy(np.ascontiguousarray(history[start : start + _BATCH], np.float32))
                done.append(self._module(part).numpy())
        return np.concatenate(done)

    def save(self, directory: Path) -> None:
        """Write the model, whole or not at all: an older one there stays until both files are on the disk.

        Raises ``RunFailed`` when the disk is full or cannot be written.
        """
        weights = packed(self.weights)
        document = self.document.model_copy(update={"weights_sha256": hashlib.sha256(weights).hexdigest()})
        text = json_text(document.model_dump(mode="json", by_alias=True), indent=1) + "\n"
        for name, data in ((WEIGHTS, weights), (MODEL, text.encode())):
            write_whole(directory / (name + _NEXT), data)
        for name in (WEIGHTS, MODEL):
            (directory / (name + _NEXT)).replace(directory / name)
        sync_directory(directory)

    @classmethod
    def load(cls, directory: Path) -> TrainedModel:
        """The model of a directory.

        Raises ``InvalidFile`` if there is none, if its training has not ended, or if a file is damaged or not
        of this model; ``HostUnfit`` without torch.
        """
        require_torch()
        document = _document(directory)
        file = directory / WEIGHTS
        try:
            weights = file.read_bytes()
        except OSError as error:
            raise InvalidFile(f"{file} cannot be read: {error.strerror}", hint=_TRAIN) from error
        if hashlib.sha256(weights).hexdigest() != document.weights_sha256:
            raise InvalidFile(f"{file} is damaged, or not of {directory / MODEL}", hint=_TRAIN)
        model = cls(document, unpacked(weights, file))
        try:
            model.module()
        except (RuntimeError, UsageError) as error:  # of another version: other layers, another name
            kind = document.config.model
            raise InvalidFile(f"{file} does not fit the model {kind}: {error}", hint=_TRAIN) from error
        return model


_TRAIN = "train the model again: `testbedctl forecast train --help`"


def _document(directory: Path) -> ModelDocument:
    from pydantic import ValidationError

    file = directory / MODEL
    if not file.is_file():
        unfinished = (directory / CHECKPOINT).is_file()
        raise InvalidFile(
            f"{directory} holds no trained model" + (": its training has not ended" if unfinished else ""),
            hint="give the same `testbedctl forecast train` again: it goes on" if unfinished else _TRAIN,
        )
    try:
        return ModelDocument.model_validate(parse_json(read_text(file), file))
    except ValidationError as error:
        found = [f"{'.'.join(map(str, each['loc'])) or 'document'}: {each['msg']}" for each in error.errors()]
        raise InvalidFile(f"{file} is not a model of testbedctl: {'; '.join(found)}", hint=_TRAIN) from error
