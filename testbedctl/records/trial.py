"""The records of one trial: its summary and its decisions (docs/reference/run-format.md)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt

from testbedctl.records.manifest import Record

IDLE_RATIO = 0.02
"""Less idle time than this means that the host itself, not the quota, may have been the limit."""

STEAL_RATIO = 0.02
"""More of the host's CPU time than this taken by its hypervisor makes a trial noisy."""

BUSY_OTHER_CORES = 0.25
"""More than this many cores used by processes outside the testbed makes a trial noisy."""


class Noise(Record):
    """What else the host did during a trial; None where it was not watched."""

    idle_ratio_min: FiniteFloat | None
    steal_ratio_max: FiniteFloat | None
    busy_other_cores_max: FiniteFloat | None


class Inspection(Record):
    """How many of the forwarded packets a vDPI's engine saw; ``ratio`` is None if none were forwarded."""

    forwarded: NonNegativeInt
    inspected: NonNegativeInt
    ratio: FiniteFloat | None


class TrialRecord(Record):
    """``trial.json``. An ``invalid`` trial was repeated and is left out of the results."""

    n: PositiveInt
    arm: str
    trial: PositiveInt
    status: Literal["complete", "invalid"]
    started: str
    duration_s: FiniteFloat
    cookie: int | str | None = None
    noise: Noise
    dpi: dict[str, Inspection] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)


class Decision(Record):
    """One decision of a policy.

    ``at_s`` is the time of the sample that it rests on, in seconds since the trial's start;
    ``applied_after_s`` runs from there to the switch's barrier reply, None where nothing was sent.
    """

    trial: PositiveInt
    n: PositiveInt
    at_s: FiniteFloat
    step: NonNegativeInt
    action: Literal["share", "release", "scale-out", "recommend-sla", "hold"]
    vnf: str
    target: str | None = None
    flows: list[str] = Field(default_factory=list)
    share_ratio: FiniteFloat | None = None
    observed: FiniteFloat | None = None
    forecast: FiniteFloat | None = None
    threshold: FiniteFloat | None = None
    reason: str
    applied_after_s: FiniteFloat | None = None
    sample_unix_s: FiniteFloat | None = None
