"""The testbed specification: what a researcher writes to describe a lab.

Services follow Figure 11 of the predictive-slicing paper: vAN → vDPI → vSRE → vWapp. Every vAN is linked
to every vDPI of the edge, and every vDPI reaches each vSRE through the VXLAN network of its service.

What a file may leave out (a VNF's class, its domain, its flavour where it has wishes) is optional in
``WrittenTestbed``; ``resolution`` makes a ``Testbed`` of it, in which nothing is missing.

The descriptions end up in the published JSON Schema, so an editor shows them while a file is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"
NAME_RULE = "lower-case letters, digits and hyphens, a letter first, at most 31"
_TEXT_PATTERN = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"
_ARGUMENT_PATTERN = r"^[^\x00]*$"
_URL_PATH_PATTERN = r"^/[A-Za-z0-9_./-]*$"
RULES = {
    NAME_PATTERN: NAME_RULE,
    _TEXT_PATTERN: "text without control characters, at most 1000 characters",
    _ARGUMENT_PATTERN: "text without a NUL character, at most 4096 characters",
    _URL_PATH_PATTERN: "a slash, then letters, digits and any of _ . / -, at most 200",
}
"""What each pattern allows, in words for messages."""
Name = Annotated[str, Field(pattern=NAME_PATTERN, description=NAME_RULE)]
"""A name may end up in a shell's argument, an XML file or a path, so that nothing else is let in."""
Text = Annotated[str, Field(pattern=_TEXT_PATTERN, max_length=1000)]
Argument = Annotated[str, Field(pattern=_ARGUMENT_PATTERN, max_length=4096)]
_Value = TypeVar("_Value")
Ratio = Annotated[float, Field(gt=0, le=1)]
VnfClass = Literal["T1", "T2", "T3"]
"""The paper's three types of VNF, by resources (§5.1, Table 3)."""
Slice = Literal["eMBB", "URLLC", "mMTC"]
"""Slice types of GSMA's generic slice template (NG.116), as the paper names them (§5.1)."""
Bandwidth = Annotated[float, Field(gt=0, le=1_000_000)]
Latency = Annotated[float, Field(gt=0, le=10_000)]
Port = Annotated[int, Field(ge=1, le=65535)]
LinkRate = Annotated[float, Field(gt=0, le=1_000_000)]
LinkDelay = Annotated[float, Field(gt=0, le=10_000)]
Command = Annotated[list[Argument], Field(min_length=1)]


def broken_rule(text: str, *, at: str = "") -> PydanticCustomError:
    """An error that the loader points at the validated field, or at the field ``at`` beside it.

    Rules between fields are validators of the later field, so that they are told together with the errors
    of all other fields.
    """
    return PydanticCustomError("rule", "{text}", {"text": text, "at": at})


class Strict(BaseModel):
    """Base of everything a user writes: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Flavour(Strict):
    """What a VNF is allotted."""

    vcpus: Annotated[
        float, Field(gt=0, le=256, description="CPU quota in cores; may be a fraction of a core")
    ]
    ram_mib: Annotated[int, Field(ge=64, le=4_194_304, description="memory limit in MiB")] = 1024
    storage_gib: Annotated[float, Field(gt=0, le=1_048_576, description="storage in GiB")] = 10
    storage_write_mbps: Annotated[
        float,
        Field(gt=0, le=1_000_000, description="write rate in Mb/s that counts as full use of the storage"),
    ] = 400
    network_mbps: Annotated[
        float, Field(gt=0, le=1_000_000, description="rate in Mb/s that counts as full use of the network")
    ] = 1000


class Thresholds(Strict):
    """Usage ratios at which a VNF counts as overloaded."""

    cpu: Annotated[Ratio, Field(description="CPU used ÷ CPU quota")] = 0.6
    ram: Annotated[Ratio, Field(description="memory used ÷ memory limit")] = 0.9
    storage: Annotated[Ratio, Field(description="write rate ÷ storage_write_mbps")] = 0.9


class Sla(Strict):
    """What a network service agreed to: thresholds, and how much of a VNF it lends to others."""

    thresholds: Thresholds = Thresholds()
    share_limit: Annotated[
        Ratio, Field(description="the part of a VNF's CPU quota that other services may use")
    ] = 0.6
    max_rtt_ms: Annotated[
        float, Field(gt=0, le=10_000, description="longest round-trip time in ms that a move may cause")
    ] = 50


class Ready(Strict):
    """When a user's own VNF counts as ready: a TCP port that answers, or a command that exits 0."""

    tcp: Annotated[Port | None, Field(description="port that accepts connections")] = None
    command: Annotated[
        Command | None, Field(description="program and arguments; exit 0 means ready", validate_default=True)
    ] = None
    timeout_s: Annotated[float, Field(gt=0, le=600, description="seconds until `up` gives up")] = 10

    @field_validator("command")
    @classmethod
    def _one_check(cls, command: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if "tcp" in info.data and (info.data["tcp"] is None) == (command is None):
            raise broken_rule("needs exactly one of 'tcp' and 'command'")
        return command


class Wishes(Strict):
    """What a VNF is wished to perform, in place of its resources (§5.1 of the paper, second scenario)."""

    slice: Annotated[Slice, Field(description="slice type (GSMA NG.116)")]
    bandwidth_mbps: Annotated[
        Bandwidth | None, Field(description="bandwidth in Mb/s; the slice type's own if left out")
    ] = None
    latency_ms: Annotated[
        Latency | None, Field(description="longest one-way delay in ms; the slice type's own if left out")
    ] = None


class WrittenVnf(Strict):
    """A virtualised network function of a service, as a file has it."""

    model_config = ConfigDict(title="Vnf")

    type: Annotated[
        Literal["van", "vdpi", "vsre", "vwapp", "command"],
        Field(description="its function; 'command' is a program of your own"),
    ]
    flavour: Annotated[Name | None, Field(description="one of 'flavours'; or give 'wishes'")] = None
    wishes: Annotated[
        Wishes | None, Field(description="performance in place of a flavour; its resources follow")
    ] = None
    domain: Annotated[
        Name | None, Field(description="one of 'domains'; follows from the class if left out")
    ] = None
    vnf_class: Annotated[
        VnfClass | None,
        Field(
            alias="class",
            description="VNFs share load within one function and class; follows from the flavour if left out",
        ),
    ] = None
    dpi: Annotated[
        Literal["off", "port", "payload"],
        Field(description="what a vDPI does: forward only, classify by port, or inspect the payload (nDPI)"),
    ] = "payload"
    thresholds: Annotated[
        Thresholds | None, Field(description="in place of the thresholds of the service's SLA")
    ] = None
    command: Annotated[
        Command | None, Field(description="program and arguments of type 'command'", validate_default=True)
    ] = None
    ready: Annotated[Ready | None, Field(description="when a VNF of type 'command' counts as ready")] = None

    @field_validator("command")
    @classmethod
    def _command_given(cls, command: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if info.data.get("type") == "command" and command is None:
            raise broken_rule("a VNF of type 'command' needs 'command', its program and arguments", at="type")
        return command

    @field_validator("command", "ready")
    @classmethod
    def _only_for_commands(cls, value: _Value, info: ValidationInfo) -> _Value:
        kind = info.data.get("type", "command")
        if kind != "command" and value is not None:
            raise broken_rule(f"belongs to a VNF of type 'command', not to {kind!r}")
        return value


class Vnf(WrittenVnf):
    """A VNF of which everything is known. ``wishes``, if there are any, are what its flavour follows from."""

    flavour: Annotated[Name, Field(description="one of 'flavours'")]
    domain: Annotated[Name, Field(description="one of 'domains'")]
    vnf_class: Annotated[VnfClass, Field(alias="class", description="its class")] = "T1"


class MetricSource(Strict):
    """A further endpoint that Prometheus scrapes for a service."""

    vnf: Annotated[Name, Field(description="a VNF of this service")]
    port: Annotated[Port, Field(description="TCP port inside the VNF")]
    path: Annotated[str, Field(pattern=_URL_PATH_PATTERN, max_length=200, description="HTTP path")] = (
        "/metrics"
    )


class WrittenService(Strict):
    """A network-service instance: its VNFs, its VXLAN network identifier, its SLA."""

    model_config = ConfigDict(title="Service")

    vni: Annotated[
        int, Field(ge=1, le=16_777_215, description="VXLAN network identifier (RFC 7348), unique in the lab")
    ]
    sla: Sla = Sla()
    vnfs: Annotated[
        Mapping[Name, WrittenVnf],
        Field(min_length=1, description="one van, one or more vdpi, one vsre, at most one vwapp"),
    ]
    metrics: Annotated[dict[Name, MetricSource], Field(description="further endpoints to scrape")] = {}


class Service(WrittenService):
    """A network-service instance of which everything is known."""

    vnfs: Annotated[dict[Name, Vnf], Field(min_length=1, description="its VNFs")]


class Host(Strict):
    """A plain end host in its own network namespace."""


class Switch(Strict):
    """A learning Open vSwitch bridge."""


class Link(Strict):
    """A cable between two nodes; rate and delay need what the kernel offers (``doctor`` says)."""

    ends: Annotated[
        list[Name], Field(min_length=2, max_length=2, description="two different hosts or switches")
    ]
    rate_mbps: Annotated[LinkRate | None, Field(description="rate in Mb/s; not limited if left out")] = None
    delay_ms: Annotated[LinkDelay | None, Field(description="delay one way in ms; none if left out")] = None


class Capacity(Strict):
    """What a domain has for its VNFs, all services together."""

    vcpus: Annotated[float | None, Field(gt=0, description="cores; not limited if left out")] = None
    ram_mib: Annotated[int | None, Field(ge=1, description="memory in MiB; not limited if left out")] = None


class WrittenTestbed(Strict):
    """A whole lab."""

    model_config = ConfigDict(title="Testbed")

    name: Annotated[Name, Field(description="the lab's name")]
    description: Annotated[Text, Field(description="one line for people")] = ""
    domains: Annotated[
        list[Name], Field(min_length=1, description="computing domains, such as edge and core")
    ] = ["edge", "core"]
    capacity: Annotated[
        dict[Name, Capacity],
        Field(description="what domains have for VNFs, by domain; not limited if left out"),
    ] = {}
    classes: Annotated[
        str | None,
        Field(description="classes file in place of the shipped one, relative to this file"),
    ] = None
    flavours: Annotated[dict[Name, Flavour], Field(description="what VNFs are allotted, by name")] = {}
    services: Annotated[Mapping[Name, WrittenService], Field(description="network services, by name")] = {}
    hosts: Annotated[dict[Name, Host], Field(description="plain end hosts, by name")] = {}
    switches: Annotated[dict[Name, Switch], Field(description="learning switches, by name")] = {}
    links: Annotated[list[Link], Field(description="cables between hosts and switches")] = []


class Testbed(WrittenTestbed):
    """A whole lab of which everything is known: what ``up`` builds and a run's manifest records."""

    __test__ = False

    services: Annotated[dict[Name, Service], Field(description="network services, by name")] = {}
