"""What is written down of a retraining: ``retraining.json`` of its version, and what ``--json`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from testbedctl.errors import InvalidFile
from testbedctl.forecast.retraining.contest import Score
from testbedctl.records.files import parse_json, read_text

SCHEMA: Literal["testbedctl.retraining/1"] = "testbedctl.retraining/1"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


class Telemetry(_Part):
    """What was learned from. ``vnfs`` have their classes; ``left_out`` are those whose class was too many, or
    that have none; ``proportions`` are the parts of the VNFs that each class was to have (§5.1)."""

    prometheus: str
    lab: str | None
    start_unix_s: float
    end_unix_s: float
    step_s: float
    rows: int
    gaps: int
    vnfs: dict[str, str]
    left_out: list[str]
    proportions: dict[str, float]
    dataset_sha256: str


class Contender(_Part):
    """A model and its errors on the held-out part; ``version`` is its place in the store."""

    version: str
    weights_sha256: str
    score: Score


class RetrainingRecord(_Part):
    """A retraining and its outcome. Whether the candidate was promoted is what the store's links say."""

    schema_: Annotated[Literal["testbedctl.retraining/1"], Field(alias="schema")] = SCHEMA
    tool: str
    telemetry: Telemetry
    held_out_windows: int
    window: int
    horizon: int
    current: Contender
    candidate: Contender
    persistence: Score
    epochs: int
    training_s: float
    better: bool


def read_record(file: Path) -> RetrainingRecord | None:
    """The record of a version, None if it was not retrained. Raises ``InvalidFile`` for a damaged one."""
    if not file.exists():
        return None
    try:
        return RetrainingRecord.model_validate(parse_json(read_text(file), file))
    except ValidationError as error:
        raise InvalidFile(f"{file} is not the record of a retraining: {error}") from error
