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
    from testbedctl.forecast.training.trained import TrainedModel

    Floats = NDArray[np.float32]

TRAIN_SHARE = 0.8
"""§7: the earliest 80 % of the observations train, the remaining 20 % test."""

Space = Literal["scaled", "own"]
"""What a contender's windows and forecasts are in: each VM scaled by its own first part, or the data set's
own units."""


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
        from testbedctl.forecast.runtime.onnx_forecaster import OnnxForecaster

        return of_file(
            OnnxForecaster.load(path, step_s=dataset.step_s, units=dataset.units), path.stem, dataset
        )
    from testbedctl.forecast.training.torch_there import require_torch, use_threads
    from testbedctl.forecast.training.trained import TrainedModel

    require_torch()
    use_threads()
    return of_model(TrainedModel.load(path), path.resolve().name, dataset)


def of_model(model: TrainedModel, name: str, dataset: Dataset) -> Contender:
    """A trained model. With scaling ``per-vm`` it works on values scaled by
    the first part of whichever VM; else in the data set's own units. Raises as ``open_contender``."""
    config = model.config
    _refuse_other(name, model, dataset)
    predict = _in_own_units(model.predict, model.scaler) if config.scaling == "global" else model.predict
    here = model.dataset_sha256 == dataset.sha256
    return Contender(
        name=name,
        kind="model",
        space="scaled" if config.scaling == "per-vm" else "own",
        window=config.window,
        horizon=config.horizon,
        predict=predict,
        scaling=config.scaling,
        quantiles=config.quantiles,
        config=config.model_dump(mode="json"),
        training_s=model.seconds,
        epochs=len(model.history),
        parameters=model.parameters,
        trained_on=frozenset(model.vms) if here else frozenset(),
    )


def of_file(forecaster: OnnxForecaster, name: str, dataset: Dataset) -> Contender:
    """A model file: its scaler is inside, so it takes and gives the data set's own units. It does not name
    the VMs that it has learned from."""
    import numpy as np

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
        scaling=about.scaling,
        quantiles=forecaster.quantiles,
        training_s=about.training_s,
        epochs=about.epochs,
        parameters=about.parameters,
        trained_on=None if about.dataset_sha256 == dataset.sha256 else frozenset(),
    )


def _refuse_other(name: str, model: TrainedModel, dataset: Dataset) -> None:
    """Raise ``UsageError`` unless step and units are the data set's and its judged part is new."""
    pairs = (("steps of", model.step_s, dataset.step_s), ("units", model.units, dataset.units))
    for what, own, asked in pairs:
        if own != asked:
            raise UsageError(
                f"model {name} was made for {what} {own}, and the data set {dataset.name} has {asked}",
                hint="judge a model on data of the kind that it was trained on",
            )
    if model.config.train_share > TRAIN_SHARE:
        raise UsageError(
            f"model {name} has learned from the first {model.config.train_share:g} of each VM, and models "
            f"are judged on what follows the first {TRAIN_SHARE:g}",
            hint=f"train it with a train_share of {TRAIN_SHARE:g} or less",
        )


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
