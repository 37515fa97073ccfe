"""What an evaluation found, as the file ``evaluation.json`` keeps it (schema ``testbedctl.evaluation/1``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from testbedctl.errors import InvalidFile
from testbedctl.records.files import parse_json, parse_record, read_text, write_bytes

SCHEMA: Literal["testbedctl.evaluation/1"] = "testbedctl.evaluation/1"
FILE = "evaluation.json"
PERSISTENCE = "persistence"
_MADE_BY = "`testbedctl forecast evaluate MODEL --dataset DATASET --output DIR` writes one"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StepError(_Record):
    """The error of the forecasts exactly ``ahead`` steps ahead, over all VMs and judged steps.

    ``rmse`` is keyed by ``ports.RESOURCES``, ``mean`` is their uniform mean (§7 of the predictive-slicing
    paper), both in the judged space; ``to_persistence`` is ``mean`` ÷ that of persistence on the same steps,
    None where persistence made no error.
    """

    ahead: int = Field(ge=1)
    rmse: dict[str, float]
    mean: float
    to_persistence: float | None


class QuantileShare(_Record):
    """How often the truth was above a forecast quantile, all steps ahead pooled: per resource, and over all.

    A resource that never changed in a VM's training part has no scale there and is not counted; the share is
    None where that leaves nothing.
    """

    quantile: float = Field(gt=0, lt=1)
    above: dict[str, float | None]
    above_all: float | None


class Contestant(_Record):
    """One row: a model, a model file or a baseline, with what it cost and what it reached.

    ``config`` is the training configuration of a model directory, empty for all others. What a row does not
    have (a baseline's epochs) or does not know is None. ``seen`` counts the judged VMs from whose first part
    the model has learned. ``why`` says why a row was not measured.
    """

    name: str
    kind: Literal["model", "file", "baseline"]
    config: dict[str, Any] = {}
    scaling: str
    window: int | None
    horizon: int
    errors: tuple[StepError, ...]
    quantiles: tuple[QuantileShare, ...] = ()
    training_s: float | None = None
    epochs: int | None = None
    parameters: int | None = None
    prediction_s: float | None = None
    seen: int | None = None
    why: str | None = None

    def error(self, ahead: int) -> StepError | None:
        """The error ``ahead`` steps ahead, or None where the row does not look so far."""
        return next((error for error in self.errors if error.ahead == ahead), None)

    def share_above(self, quantile: float) -> float | None:
        """Share of the judged steps above a quantile, or None without that quantile."""
        return next((q.above_all for q in self.quantiles if abs(q.quantile - quantile) < 1e-9), None)


class Judgement(_Record):
    """All contestants on one data set, on the same ``forecasts`` (points in time of all ``vms``), each of
    which is judged over the whole ``horizon``. ``foreign``: no model was asked to know this data set."""

    dataset: str
    sha256: str
    step_s: float
    units: str
    foreign: bool
    vms: tuple[str, ...]
    left_out: dict[str, str] = {}
    forecasts: int
    window: int
    horizon: int
    train_share: float
    contestants: tuple[Contestant, ...]

    def contestant(self, name: str) -> Contestant | None:
        """The row of that name."""
        return next((row for row in self.contestants if row.name == name), None)


class Evaluation(_Record):
    """The whole document: the data set that was asked for first, foreign ones after it."""

    format: Literal["testbedctl.evaluation/1"] = Field(default=SCHEMA, alias="schema")
    created: str
    tool: str
    judgements: tuple[Judgement, ...]

    def document(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return self.model_dump(mode="json", by_alias=True)


def save(evaluation: Evaluation, directory: Path) -> Path:
    """Write ``evaluation.json`` whole or not at all. Raises RunFailed if that is impossible."""
    path = directory / FILE
    write_bytes(path, (json.dumps(evaluation.document(), indent=2, ensure_ascii=False) + "\n").encode())
    return path


def load(path: Path) -> Evaluation:
    """The evaluation in a directory or file.

    Raises InvalidFile if it is missing, damaged, or of another schema.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise InvalidFile(f"{path} holds no evaluation: there is no {file}", hint=_MADE_BY)
    document = parse_json(read_text(file), file)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else type(document).__name__
        raise InvalidFile(
            f"{file} is no evaluation: its schema is {found!r}, not {SCHEMA!r}",
            hint=_MADE_BY,
        )
    return parse_record(Evaluation, document, file)
