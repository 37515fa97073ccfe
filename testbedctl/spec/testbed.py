"""The testbed specification: what a researcher writes to describe a lab.

Services follow Figure 11 of the predictive-slicing paper: vAN → vDPI → vSRE → vWapp. Every vAN is linked
to every vDPI of the edge, and every vDPI reaches each vSRE through the VXLAN network of its service.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9-]{0,30}$",
        description="lower-case letters, digits and hyphens, a letter first, at most 31",
    ),
]
Ratio = Annotated[float, Field(gt=0, le=1)]


class Strict(BaseModel):
    """Base of everything a user writes: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Flavour(Strict):
    """What a VNF is allotted. ``vcpus`` may be a fraction of a core."""

    vcpus: Annotated[float, Field(gt=0, le=256)]
    ram_mib: Annotated[int, Field(ge=64, le=4_194_304)] = 1024
    storage_gib: Annotated[float, Field(gt=0, le=1_048_576)] = 10
    storage_write_mbps: Annotated[float, Field(gt=0, le=1_000_000)] = 400
    network_mbps: Annotated[float, Field(gt=0, le=1_000_000)] = 1000


class Thresholds(Strict):
    """Usage ratios at which a VNF counts as overloaded."""

    cpu: Ratio = 0.6
    ram: Ratio = 0.9
    storage: Ratio = 0.9


class Sla(Strict):
    """What a network service agreed to: thresholds, and how much of a VNF it lends to others."""

    thresholds: Thresholds = Thresholds()
    share_limit: Ratio = 0.6
    max_rtt_ms: Annotated[float, Field(gt=0, le=10_000)] = 50


class Ready(Strict):
    """When a user's own VNF counts as ready: a TCP port that answers, or a command that exits 0."""

    tcp: Annotated[int, Field(ge=1, le=65535)] | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10

    @model_validator(mode="after")
    def _one_check(self) -> Ready:
        if (self.tcp is None) == (self.command is None):
            raise ValueError("needs exactly one of 'tcp' and 'command'")
        return self


class Vnf(Strict):
    """A virtualised network function of a service."""

    type: Literal["van", "vdpi", "vsre", "vwapp", "command"]
    flavour: Name
    domain: Name
    vnf_class: Annotated[Literal["T1", "T2", "T3"], Field(alias="class")] = "T1"
    dpi: Literal["off", "port", "payload"] = "payload"
    thresholds: Thresholds | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None
    ready: Ready | None = None

    @model_validator(mode="after")
    def _command_fits_type(self) -> Vnf:
        if self.type == "command" and not self.command:
            raise ValueError("a VNF of type 'command' needs 'command'")
        if self.type != "command" and (self.command or self.ready):
            raise ValueError(f"'command' and 'ready' belong to type 'command', not {self.type!r}")
        return self


class MetricSource(Strict):
    """A further endpoint that Prometheus scrapes for a service."""

    vnf: Name
    port: Annotated[int, Field(ge=1, le=65535)]
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]*$", max_length=200)] = "/metrics"


class Service(Strict):
    """A network-service instance: its VNFs, its VXLAN network identifier, its SLA."""

    vni: Annotated[int, Field(ge=1, le=16_777_215)]
    sla: Sla = Sla()
    vnfs: Annotated[dict[Name, Vnf], Field(min_length=1)]
    metrics: dict[Name, MetricSource] = {}


class Host(Strict):
    """A plain end host in its own network namespace."""


class Switch(Strict):
    """A learning Open vSwitch bridge."""


class Link(Strict):
    """A cable between two nodes; rate and delay need what the kernel offers (``doctor`` says)."""

    ends: Annotated[list[Name], Field(min_length=2, max_length=2)]
    rate_mbps: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    delay_ms: Annotated[float, Field(gt=0, le=10_000)] | None = None


class Testbed(Strict):
    """A whole lab."""

    __test__ = False

    name: Name
    description: str = ""
    domains: Annotated[list[Name], Field(min_length=1)] = ["edge", "core"]
    flavours: dict[Name, Flavour] = {}
    services: dict[Name, Service] = {}
    hosts: dict[Name, Host] = {}
    switches: dict[Name, Switch] = {}
    links: list[Link] = []
