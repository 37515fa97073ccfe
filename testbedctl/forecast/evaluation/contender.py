"""Whatever forecasts, as the judge sees it: model directories, model files and baselines alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from testbedctl.errors import UsageError
from testbedctl.forecast.series import Dataset, Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from testbedctl.forecast.protocol.scaling import Scaler
    from testbedctl.forecast.runtime.onnx_forecaster import OnnxForecaster
    from testbedctl.forecast.training.document import ModelDocument
    from testbedctl.forecast.training.trained import TrainedModel

    Floats = NDArray[np.float32]

TRAIN_SHARE = 0.8
"""§7: the earliest 80 % of the observations train, the remaining 20 % test."""

Space = Literal["scaled", "own"]
"""What a contender's windows and forecasts are in: each VM scaled by its own first part and clipped, or the
data set's own units."""


@dataclass(frozen=True)
class Contender:
    """``predict`` maps windows float32[n, window, 4] to float32[n, horizon, 4, 1 + quantiles], the point
    forecast first, both in ``space``. ``trained_on`` are the VMs of the judged data set that it has
    learned from, None if that is not known. The rest is what the table shows of it."""

    name: str
    kind: Literal["model", "file", "baseline"]
    space: Space
    window: int
    horizon: int
    predict: Callable[[Floats], Floats]
    scaling: str
    quantiles: tuple[float, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    training_s: float | None = None
    epochs: int | None = None
    parameters: int | None = None
    trained_on: frozenset[str] | None = None


def open_contender(path: Path, dataset: Dataset) -> Contender:
    """The model directory or ``.onnx`` file at ``path``.

    Raises ``UsageError`` for one that was made for another step or other units than the data set's, or
    that has learned from the part that it would be judged on, and what reading it raises for a damaged one.
    """
    if path.suffix == ".onnx":
        from testbedctl.forecast.runtime.model_file import trained_as
        from testbedctl.forecast.runtime.onnx_forecaster import OnnxForecaster

        forecaster = OnnxForecaster.load(path, step_s=dataset.step_s, units=dataset.units)
        return of_file(forecaster, trained_as(path), path.stem, dataset)
    from testbedctl.forecast.training.torch_there import require_torch, use_threads
    from testbedctl.forecast.training.trained import TrainedModel

    require_torch()
    use_threads()
    return of_model(TrainedModel.load(path), path.resolve().name, dataset)


def of_model(model: TrainedModel, name: str, dataset: Dataset) -> Contender:
    """A trained model, in the data set's own units as its exported file is. One that needs the limits of each
    VM, which no file can hold, works on values scaled by the first part of whichever VM. Raises as
    ``open_contender``."""
    config = model.config
    _refuse_other(name, model, dataset)
    _refuse_judged_part(name, model.document, dataset)
    by_limits = _needs_limits(model)
    return Contender(
        name=name,
        kind="model",
        space="scaled" if by_limits else "own",
        window=config.window,
        horizon=config.horizon,
        predict=model.predict if by_limits else _as_exported(model),
        scaling=config.scaling,
        quantiles=config.quantiles,
        config=config.model_dump(mode="json"),
        training_s=model.seconds,
        epochs=len(model.history),
        parameters=model.parameters,
        trained_on=model.document.learned_from(dataset.sha256),
    )


def of_file(forecaster: OnnxForecaster, document: ModelDocument, name: str, dataset: Dataset) -> Contender:
    """A model file, and the ``model.json`` in it: its scaler is inside, so it takes and gives the data set's
    own units. Raises ``UsageError`` if it has learned from the part that it would be judged on."""
    import numpy as np

    _refuse_judged_part(name, document, dataset)

    def predict(windows: Floats) -> Floats:
        mean, quantiles = forecaster.predict(windows)
        return np.concatenate([mean[..., np.newaxis], quantiles], axis=-1, dtype=np.float32)

    about = forecaster.metadata
    return Contender(
        name=name,
        kind="file",
        space="own",
        window=forecaster.window,
        horizon=forecaster.horizon,
        predict=predict,
        scaling=document.config.scaling,
        quantiles=forecaster.quantiles,
        training_s=about.training_s,
        epochs=about.epochs,
        parameters=about.parameters,
        trained_on=document.learned_from(dataset.sha256),
    )


def _refuse_other(name: str, model: TrainedModel, dataset: Dataset) -> None:
    """Raise ``UsageError`` unless step and units are the data set's."""
    pairs = (("steps of", model.step_s, dataset.step_s), ("units", model.units, dataset.units))
    for what, own, asked in pairs:
        if own != asked:
            raise UsageError(
                f"model {name} was made for {what} {own}, and the data set {dataset.name} has {asked}",
                hint="judge a model on data of the kind that it was trained on",
            )


def _refuse_judged_part(name: str, document: ModelDocument, dataset: Dataset) -> None:
    """Raise ``UsageError`` if the model, or one that its training began with, knows the judged part."""
    before = [each for each in document.ancestors if each.dataset_sha256 == dataset.sha256]
    share = max([document.config.train_share, *(each.train_share for each in before)])
    if share > TRAIN_SHARE:
        raise UsageError(
            f"model {name} has learned from the first {share:g} of each VM, and models "
            f"are judged on what follows the first {TRAIN_SHARE:g}",
            hint=f"train it with a train_share of {TRAIN_SHARE:g} or less",
        )


def _needs_limits(model: TrainedModel) -> bool:
    """Whether it forecasts only values that are scaled by the limits of each VM."""
    if model.config.scaling != "per-vm":
        return False
    from testbedctl.forecast.training.torch_there import require

    require("onnx")
    from testbedctl.forecast.runtime.graph import is_equivariant

    return not is_equivariant(model.module(), model.config.window)


def _as_exported(model: TrainedModel) -> Callable[[Floats], Floats]:
    """What the graph of its file does: the data set's own units, and no forecast below 0."""
    import numpy as np

    scaled_by_all = model.config.scaling == "global"
    predict = _in_own_units(model.predict, model.scaler) if scaled_by_all else model.predict
    return lambda windows: np.maximum(predict(windows), 0)


def _in_own_units(predict: Callable[[Floats], Floats], scaler: Scaler) -> Callable[[Floats], Floats]:
    """A model of globally scaled values as one of values in the data set's own units."""
    import numpy as np

    def unscaled(windows: Floats) -> Floats:
        forecast = predict(scaled(scaler, "", windows))
        # resources are the last axis of what a scaler takes, and the one before of a forecast
        own = scaler.unscale("", np.moveaxis(forecast, -1, 1))
        return np.moveaxis(own, 1, -1)

    return unscaled


def scaled(scaler: Scaler, vm: str, values: Floats) -> Floats:
    """Values float32[..., 4] of a VM in its scaled space, clipped as the scaler clips."""
    import numpy as np

    rows = values.reshape(-1, values.shape[-1])
    return scaler.scale(Series(vm, np.zeros(len(rows)), rows)).values.reshape(values.shape)
