"""The manifest: what was planned, with which versions, on which host (docs/reference/run-format.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, PositiveInt

SCHEMA: Literal["testbedctl.run/1"] = "testbedctl.run/1"
RUN_NAME = r"^[0-9]{8}T[0-9]{6}Z-[a-z][a-z0-9-]{0,30}-[0-9a-f]{6}$"

Status = Literal["running", "complete", "aborted", "failed"]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Record(BaseModel):
    """Base of every record of a run: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Holder(Record):
    """The process that writes a run: its pid and its start time in clock ticks since boot."""

    pid: PositiveInt
    start_ticks: NonNegativeInt


class Step(Record):
    """One step of the profile; ``offered_bps`` is what the stressed service is offered."""

    step: PositiveInt
    start_s: FiniteFloat
    end_s: FiniteFloat
    offered_bps: Rate


class Camera(Record):
    """One camera, ``service/number``: a stable source address, and when it sends."""

    camera: str
    service: str
    source: str
    destination: str
    rate_bps: Rate
    start_s: FiniteFloat
    stop_s: FiniteFloat


class VnfRecord(Record):
    """A VNF, and what its usage ratios are ratios of."""

    service: str
    function: str
    vnf_class: str
    domain: str
    cpu_quota_cores: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    slice_cpu_cores: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    cpu_threshold: FiniteFloat
    share_limit: FiniteFloat
    dpi: Literal["off", "port", "payload"] | None = None


class Planned(Record):
    """One planned trial: ``n`` in the order of the run, ``trial`` within its arm, both from 1."""

    n: PositiveInt
    arm: str
    trial: PositiveInt


class Host(Record):
    """The host's fingerprint. Further keys are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kernel: str | None = None
    cpu_model: str | None = None
    cores: int | None = None
    governor: str | None = None
    cgroup: str | None = None
    datapath: str | None = None
    openvswitch: str | None = None
    iperf3: str | None = None
    prometheus: str | None = None
    offloads: dict[str, Any] = Field(default_factory=dict)
    sysctls: dict[str, Any] = Field(default_factory=dict)


class Manifest(Record):
    """The head of a run.

    ``RunWriter.create`` fills ``run``, ``status``, ``cause``, ``holder``, ``created`` and ``finished``.
    """

    schema_: Annotated[Literal["testbedctl.run/1"], Field(alias="schema")] = SCHEMA
    run: Annotated[str, Field(pattern=RUN_NAME)] | None = None
    status: Status = "running"
    cause: str | None = None
    holder: Holder | None = None
    lab: str
    created: str | None = None
    finished: str | None = None
    testbed: dict[str, Any]
    profile: dict[str, Any]
    steps: Annotated[list[Step], Field(min_length=1)]
    cameras: list[Camera]
    service: str
    vnfs: dict[str, VnfRecord]
    arms: Annotated[list[str], Field(min_length=1)]
    trials: PositiveInt
    seed: int
    order: Annotated[list[Planned], Field(min_length=1)]
    tool: dict[str, str]
    dependencies: dict[str, str]
    git: dict[str, Any] | None = None
    host: Host
    warnings: list[str] = Field(default_factory=list)
    resumed_from: str | None = None
