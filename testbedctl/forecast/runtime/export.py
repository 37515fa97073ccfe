"""From a trained model to a model file, and back to one that training can go on from, with torch and onnx."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from testbedctl import __version__
from testbedctl.errors import UsageError
from testbedctl.forecast.runtime.model_file import (
    METADATA_KEY,
    MODEL_KEY,
    SCHEMA,
    SCHEMA_KEY,
    WEIGHTS_KEY,
    Metadata,
    document_of,
    parse,
    read,
    sealed,
)
from testbedctl.forecast.runtime.onnx_forecaster import OnnxForecaster
from testbedctl.forecast.training.torch_there import require, require_torch
from testbedctl.records.files import json_text

if TYPE_CHECKING:
    from testbedctl.forecast.runtime.graph import InOwnUnits
    from testbedctl.forecast.training.trained import TrainedModel


def export(model: TrainedModel, path: Path, *, metrics: Mapping[str, Any]) -> Metadata:
    """Write ``model`` as one ONNX file that takes and gives the data set's own units; what it says of itself.

    ``metrics`` is JSON that goes into the file as it is. The file is compared with torch before it takes its
    name. Raises ``UsageError`` as ``scaling_inside`` does, ``RunFailed`` if the graph differs from the model
    or the disk is full (an old file stays as it was), ``HostUnfit`` without torch or onnx.
    """
    require_torch()
    require("onnx")
    from testbedctl.forecast.runtime.graph import check, to_onnx
    from testbedctl.forecast.training.packing import packed, write_whole

    weights = packed(dict(model.weights))
    metadata = _metadata(model, path.stem, weights, metrics)
    module = runnable(model)
    graph = to_onnx(module, model.config.window)
    properties = {
        SCHEMA_KEY: SCHEMA,
        METADATA_KEY: json_text(metadata.model_dump()),  # mode="json" would make null of NaN
        MODEL_KEY: model.document.model_dump_json(by_alias=True),
        WEIGHTS_KEY: base64.b64encode(weights).decode(),
    }
    for key, value in properties.items():
        graph.metadata_props.add(key=key, value=value)
    data = sealed(graph.SerializeToString())
    check(module, metadata.window, OnnxForecaster(*parse(data, path)).predict)
    write_whole(path, data)
    return metadata


def runnable(model: TrainedModel) -> InOwnUnits:
    """What a file holds as a graph: from a history in the data set's own units to mean and quantiles.

    Raises ``UsageError`` as ``scaling_inside`` does.
    """
    from testbedctl.forecast.protocol.scaling import Scaler
    from testbedctl.forecast.runtime.graph import InOwnUnits

    scaler = model.scaler if scaling_inside(model) == "global" else Scaler("none")
    return InOwnUnits(model.module(), scaler).eval()


def trainable(path: Path) -> TrainedModel:
    """The model in a file, as it was trained: ``TrainedModel.save`` makes a directory of it to go on from.

    Raises ``InvalidFile`` as ``model_file.read`` does, ``HostUnfit`` without torch.
    """
    require_torch()
    from testbedctl.forecast.training.packing import unpacked
    from testbedctl.forecast.training.trained import TrainedModel

    session, _ = read(path)
    weights = session.get_modelmeta().custom_metadata_map[WEIGHTS_KEY]
    return TrainedModel(document_of(session, path), unpacked(base64.b64decode(weights), path))


def _metadata(model: TrainedModel, name: str, weights: bytes, metrics: Mapping[str, Any]) -> Metadata:
    return Metadata(
        name=name,
        step_s=model.step_s,
        window=model.config.window,
        horizon=model.config.horizon,
        quantiles=model.config.quantiles,
        units=model.units,
        features=dict(model.features),
        scaling=scaling_inside(model),
        dataset=model.dataset_name,
        dataset_sha256=model.dataset_sha256,
        model=model.config.model,
        epochs=len(model.history),
        training_s=round(model.seconds, 3),
        parameters=model.parameters,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        metrics=dict(metrics),
        tool=f"testbedctl {__version__}",
    )


def scaling_inside(model: TrainedModel) -> Literal["global", "none"]:
    """What scaling the file of a model has in its graph.

    Raises ``UsageError`` for a model that needs the limits of each VM. One that was trained per VM and moves
    and stretches with its window needs none.
    """
    if model.config.scaling != "per-vm":
        return model.config.scaling
    from testbedctl.forecast.runtime.graph import is_equivariant

    if is_equivariant(model.module(), model.config.window):
        return "none"
    raise UsageError(
        "a model that was trained with scaling per-vm cannot be exported: it needs the lowest and the "
        "highest value of each VM, and a VNF that has just been started has none",
        hint="train with --scaling global, or a model whose forecast moves and stretches with its window",
    )
