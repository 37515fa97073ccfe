"""The manifest of a data set (``docs/reference/dataset-format.md``)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, PositiveInt

from testbedctl.forecast.dataset.faults import FaultLog
from testbedctl.forecast.series import Units

SCHEMA: Literal["testbedctl.dataset/1"] = "testbedctl.dataset/1"


class Record(BaseModel):
    """Base of the manifest's parts: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FaultPlace(Record):
    """Where a row is that is not as it should be; ``column`` is the field's number, from 1."""

    file: str
    line: NonNegativeInt
    column: NonNegativeInt
    message: str


class FaultRecord(Record):
    """How many rows have a fault of one kind, and the first of them."""

    count: PositiveInt
    places: list[FaultPlace]


class VmRecord(Record):
    """One VM or VNF: its rows, and how often two of them are more than 1.5 steps apart."""

    rows: PositiveInt
    gaps: NonNegativeInt


class Facts(Record):
    """What the writer of a data set cannot know by itself. ``clock`` says how times were read."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    source: str
    terms: str
    format: str
    clock: str
    step_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    rows_read: NonNegativeInt
    faults: dict[str, FaultRecord] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)


class Manifest(Facts):
    """The head of a data set; ``vms`` in the order of the samples, ``span`` in Unix seconds."""

    schema_: Annotated[Literal["testbedctl.dataset/1"], Field(alias="schema")] = SCHEMA
    units: Units
    features: dict[str, str]
    columns: list[str]
    rows: PositiveInt
    vms: Annotated[dict[str, VmRecord], Field(min_length=1)]
    gaps: NonNegativeInt
    span: tuple[FiniteFloat, FiniteFloat]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    created: str
    tool: str


def fault_records(log: FaultLog) -> dict[str, FaultRecord]:
    """The log as it stands in the manifest."""
    return {
        kind: FaultRecord(
            count=log.counts[kind],
            places=[
                FaultPlace(file=p.file, line=p.line, column=p.column, message=p.message)
                for p in log.places[kind]
            ],
        )
        for kind in sorted(log.counts)
    }
