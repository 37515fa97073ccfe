"""A forecaster as one file: ONNX, with all that its user has to know inside, sealed by a digest.

``docs/reference/model-file.md`` is the format. Reading needs onnxruntime alone: neither torch nor onnx.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from testbedctl.errors import InvalidFile
from testbedctl.forecast.series import Units

if TYPE_CHECKING:
    import onnxruntime

    from testbedctl.forecast.training.document import ModelDocument

SCHEMA = "testbedctl.forecaster/1"
SCHEMA_KEY, METADATA_KEY, MODEL_KEY, WEIGHTS_KEY = "schema", "forecaster", "model", "weights"

_DIGEST_KEY = b"digest"
_DIGEST_LENGTH = 64
# field 14 of ONNX's ModelProto, metadata_props, with one more key and its value; protobuf lets it be appended
_SEAL = bytes([14 << 3 | 2, len(_DIGEST_KEY) + _DIGEST_LENGTH + 4, 0x0A, len(_DIGEST_KEY)]) + _DIGEST_KEY
_SEAL += bytes([0x12, _DIGEST_LENGTH])


class Metadata(BaseModel):
    """What a model file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    step_s: Annotated[float, Field(gt=0)]
    window: Annotated[int, Field(ge=1)]
    horizon: Annotated[int, Field(ge=1)]
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    units: Units
    features: dict[str, str]
    scaling: Literal["global", "none"]
    dataset: str
    dataset_sha256: str
    model: str
    epochs: int
    training_s: float
    parameters: int
    weights_sha256: str
    metrics: dict[str, Any]
    tool: str


def sealed(model: bytes) -> bytes:
    """A serialised ONNX model with its digest as the last entry of its metadata."""
    return model + _SEAL + hashlib.sha256(model).hexdigest().encode()


def read(path: Path) -> tuple[onnxruntime.InferenceSession, Metadata]:
    """The graph, ready to run, and what the file says of itself.

    Raises ``InvalidFile`` with the reason: not there, not ONNX or cut off, damaged, not ours, another schema,
    or a graph that is not what the metadata say.
    """
    return parse(_bytes(path), path)


def parse(data: bytes, path: Path) -> tuple[onnxruntime.InferenceSession, Metadata]:
    """What ``read`` gives, of the content of a file that would be called ``path``."""
    end = len(data) - len(_SEAL) - _DIGEST_LENGTH
    intact = end > 0 and data[end : end + len(_SEAL)] == _SEAL
    if intact and data[-_DIGEST_LENGTH:] != hashlib.sha256(data[:end]).hexdigest().encode():
        raise InvalidFile(
            f"{path} is damaged: its content does not have the digest at its end",
            hint="copy or export it again; a file that was edited is not used either",
        )
    session = _session(path, data)
    metadata = _metadata(path, session.get_modelmeta().custom_metadata_map)
    if not intact:
        raise InvalidFile(f"{path} has lost the digest at its end", hint="copy or export it again")
    _check_graph(path, session, metadata)
    return session, metadata


def trained_as(path: Path) -> ModelDocument:
    """``model.json`` of the model in a file. Torch is not needed.

    Raises ``InvalidFile`` as ``read`` does, and for a model that another version has trained.
    """
    session, _ = read(path)
    return document_of(session, path)


def document_of(session: onnxruntime.InferenceSession, path: Path) -> ModelDocument:
    """The same of an open file. Raises ``InvalidFile`` for a model that another version has trained."""
    from testbedctl.forecast.training.document import ModelDocument

    try:
        return ModelDocument.model_validate_json(session.get_modelmeta().custom_metadata_map[MODEL_KEY])
    except ValidationError as error:
        raise InvalidFile(
            f"{path} holds a model as another version of testbedctl trains it: {error}",
            hint="train a model anew: `testbedctl forecast train --help`",
        ) from error


def _bytes(path: Path) -> bytes:
    if not path.is_file():  # a device or a pipe would be read for ever
        what = "is a directory" if path.is_dir() else "is not a file" if path.exists() else "is missing"
        raise InvalidFile(
            f"the model file {path} {what}", hint="`testbedctl forecast export MODEL_DIR` makes one"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror}") from error


def _session(path: Path, data: bytes) -> onnxruntime.InferenceSession:
    """One thread, no spinning: predictions are short, and the cores belong to the testbed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is said by us, once
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no class of their own in common
        reason = str(error).strip().partition("\n")[0]
        raise InvalidFile(
            f"{path} is not an ONNX model, or is cut off: {reason}", hint="copy or export it again"
        ) from error


def _metadata(path: Path, properties: dict[str, str]) -> Metadata:
    schema = properties.get(SCHEMA_KEY, "")
    if not schema.startswith("testbedctl.forecaster/"):
        raise InvalidFile(
            f"{path} is an ONNX model that testbedctl did not export",
            hint="it lacks step, units and scaling: train with `testbedctl forecast train` and export that",
        )
    if schema != SCHEMA:
        raise InvalidFile(
            f"{path} has the schema {schema}; this version of testbedctl reads {SCHEMA}",
            hint="export the model again with this version",
        )
    if missing := {METADATA_KEY, MODEL_KEY, WEIGHTS_KEY} - properties.keys():
        raise InvalidFile(f"{path} lacks {', '.join(sorted(missing))} in its metadata")
    try:
        return Metadata.model_validate_json(properties[METADATA_KEY])
    except ValidationError as error:
        raise InvalidFile(f"{path}: its metadata do not follow {SCHEMA}: {error}") from error


def _check_graph(path: Path, session: onnxruntime.InferenceSession, metadata: Metadata) -> None:
    """The graph's names and shapes without the batch axis; onnxruntime shows a free axis by its name."""
    found = {each.name: each.shape[1:] for each in (*session.get_inputs(), *session.get_outputs())}
    asked = {
        "history": [metadata.window, 4],
        "mean": [metadata.horizon, 4],
        "quantiles": [metadata.horizon, 4, len(metadata.quantiles)],
    }
    if found != asked:
        raise InvalidFile(f"{path}: its graph has {found} where its metadata say {asked}")
