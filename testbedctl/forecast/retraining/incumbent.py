"""The model that a retraining begins with, and that it has to beat."""

from __future__ import annotations

from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING

from testbedctl.errors import UsageError
from testbedctl.forecast.retraining.store import MODEL_FILE, ModelStore
from testbedctl.forecast.runtime.onnx_forecaster import STEP_TOLERANCE

if TYPE_CHECKING:
    from testbedctl.forecast.training.trained import TrainedModel


def incumbent(store: ModelStore, beginning: Path, step_s: float) -> TrainedModel:
    """The store's current model; for a store without one, that of ``beginning``, a directory or a model file.

    Raises ``UsageError`` for a model that telemetry with steps of ``step_s`` seconds cannot be learned with,
    ``InvalidFile`` for one that cannot be read, ``HostUnfit`` without torch.
    """
    from testbedctl.forecast.runtime.export import scaling_inside, trainable
    from testbedctl.forecast.training.trained import TrainedModel

    place = store.current or beginning
    model = trainable(place) if place.suffix == ".onnx" else TrainedModel.load(place)
    if model.units != "allotment":
        raise _unfit(place, "was trained on a trace, in absolute units: telemetry has ratios of an allotment")
    if not isclose(model.step_s, step_s, rel_tol=STEP_TOLERANCE):
        raise _unfit(place, f"is for steps of {model.step_s:g} s; --step-s is {step_s:g}")
    scaling_inside(model)
    return model


def adopt(store: ModelStore, model: TrainedModel) -> Path:
    """Make ``model`` the first version of a store, and the current one; its directory."""
    from testbedctl.forecast.runtime.export import export

    with store.version() as directory:
        model.save(directory)
        export(model, directory / MODEL_FILE, metrics={"validation_loss": model.best.validation_loss})
    store.promote(directory.stem)
    return store.root / directory.stem


def _unfit(place: Path, why: str) -> UsageError:
    return UsageError(
        f"the model {place} {why}",
        hint="begin with a model of telemetry, such as the shipped one: leave out --model",
    )
