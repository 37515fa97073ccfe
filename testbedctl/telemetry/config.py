"""What a monitoring agent is told: which VNFs it watches, and where it finds their numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from testbedctl.errors import InvalidFile
from testbedctl.host.cgroup import CONTROLLERS_V1, Hierarchy


@dataclass(frozen=True)
class Cgroups:
    """Directories of a VNF's control group. On version 2 all three are the same."""

    version: int
    cpu: str
    cpuacct: str
    memory: str

    @classmethod
    def of(cls, hierarchy: Hierarchy, group: str) -> Cgroups:
        """The directories of a group such as ``testbedctl/<lab>/<node>`` on this host."""
        cpu, cpuacct, memory = (str(hierarchy.controller(name, group)) for name in CONTROLLERS_V1)
        return cls(hierarchy.version, cpu, cpuacct, memory)


@dataclass(frozen=True)
class Limits:
    """What the VNF is allotted: the denominators of its usage. The network limit is per direction."""

    cpu_cores: float
    memory_bytes: float
    storage_write_bytes_per_second: float
    network_bytes_per_second: float


@dataclass(frozen=True)
class SwitchControl:
    """The control socket (unixctl) of the VNF's own ``ovs-vswitchd``, and the bridge to ask for."""

    control: str
    bridge: str


@dataclass(frozen=True)
class VnfSources:
    """One VNF: its labels, its limits and where its numbers are read.

    ``interfaces`` are those whose counters are its network usage. They are read in the namespace ``netns``
    (its name or path), or, if that is None, in the one of a process of its control group. ``ovs`` is None
    without a switch, ``dpi_stats`` without an inspection engine.
    """

    key: str
    service: str
    vnf: str
    vnf_type: str
    vnf_class: str
    cgroups: Cgroups
    interfaces: tuple[str, ...]
    limits: Limits
    ovs: SwitchControl | None = None
    dpi_stats: str | None = None
    netns: str | None = None


@dataclass(frozen=True)
class AgentConfig:
    """The whole configuration of one domain's agent; it listens on ``listen`` (address, port).

    ``decisions`` is the file with the lab's counts of decisions, for the one agent that exposes them.
    """

    lab: str
    domain: str
    listen: tuple[str, int]
    vnfs: tuple[VnfSources, ...]
    decisions: str | None = None

    def to_json(self) -> str:
        """The configuration file's text."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> AgentConfig:
        """Read what ``to_json`` wrote; raises ``InvalidFile`` for anything else."""
        try:
            raw = json.loads(text)
            address, port = raw["listen"]
            vnfs = tuple(_vnf(each) for each in raw["vnfs"])
            decisions = None if raw["decisions"] is None else str(raw["decisions"])
            return cls(str(raw["lab"]), str(raw["domain"]), (str(address), int(port)), vnfs, decisions)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidFile(
                f"not a monitoring agent's configuration: {error}",
                hint="'testbedctl up' writes it; do not edit it by hand",
            ) from error


def _vnf(raw: Mapping[str, Any]) -> VnfSources:
    ovs = raw["ovs"]
    parts: dict[str, Any] = {
        **raw,
        "cgroups": Cgroups(**raw["cgroups"]),
        "limits": Limits(**raw["limits"]),
        "interfaces": tuple(raw["interfaces"]),
        "ovs": SwitchControl(**ovs) if ovs else None,
    }
    return VnfSources(**parts)
