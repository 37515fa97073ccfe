"""The ports: Protocols of a few methods, and the plain data that crosses them.

``balancing``, ``forecast`` and the backends know each other only through this module. A new policy or
forecaster comes by entry point (``testbedctl.policies``, ``testbedctl.forecasters``).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np

RESOURCES = ("cpu", "ram", "storage", "network")
"""Order of the last axis of every forecast; each value is usage ÷ the VNF's own allotment."""

HOPS = (
    "sender",
    "van_ring",
    "van_transmit",
    "vdpi_ring",
    "vdpi_throttled",
    "vdpi_transmit",
    "tunnel",
    "receiver_socket",
    "unattributed",
)
"""Where a packet can be lost, in the order of its way (``docs/explanation/loss.md``)."""


@dataclass(frozen=True)
class VnfState:
    """One VNF as last measured.

    ``usage`` is keyed by ``RESOURCES``, each a ratio of the allotment; ``thresholds`` likewise.
    ``cpu_quota_cores`` is what a CPU ratio of 1 means. ``processed_bps`` is what passed through.
    """

    key: str  # service/vnf
    service: str
    function: str  # van, vdpi, vsre, vwapp, command
    vnf_class: str  # T1, T2, T3
    domain: str
    usage: Mapping[str, float]
    thresholds: Mapping[str, float]
    cpu_quota_cores: float
    share_limit: float
    processed_bps: float = 0.0
    state: str = "normal"  # normal | sharing


@dataclass(frozen=True)
class Flow:
    """One camera's stream: matched by its source and destination address.

    ``path`` is the key of the VNF it is sent through now, ``home`` its own service's VNF.
    """

    id: str  # "<service>/<camera index>"
    service: str
    source: str
    destination: str
    home: str
    path: str
    rate_bps: float


@dataclass(frozen=True)
class ShareInForce:
    """A share that the switch carries: whole flows of ``source`` that ``target`` serves."""

    id: str
    source: str
    target: str
    flow_ids: tuple[str, ...]
    limit: float
    since_s: float


@dataclass(frozen=True)
class Observation:
    """What the policy sees, once per scrape. ``at_s`` is the time of the newest sample (Unix, s).

    ``forecast``: usage ratios per VNF key and resource, or none; ``age_s`` is the age of the data.
    """

    at_s: float
    age_s: float
    vnfs: Mapping[str, VnfState]
    flows: tuple[Flow, ...] = ()
    shares: tuple[ShareInForce, ...] = ()
    rtt_s: Mapping[tuple[str, str], float] = field(default_factory=dict)
    max_rtt_s: Mapping[str, float] = field(default_factory=dict)
    forecast: Mapping[str, Mapping[str, float]] | None = None


@dataclass(frozen=True)
class Reason:
    """Why an action fell: the VNF, what was observed and forecast, the threshold, a sentence."""

    vnf: str
    observed: float
    forecast: float | None
    threshold: float
    text: str


@dataclass(frozen=True)
class Share:
    """Serve ``flow_ids``, whole cameras of ``source``, on ``target``.

    ``limit`` is the part of the target's CPU quota that the policy sized the share for: it is kept by which
    cameras move, and no meter holds them to it. (The controller's northbound interface has one to offer.)
    """

    source: str
    target: str
    flow_ids: tuple[str, ...]
    limit: float
    reason: Reason


@dataclass(frozen=True)
class Release:
    """Give the flows of a share back to their own VNF."""

    share_id: str
    reason: Reason


@dataclass(frozen=True)
class ScaleOut:
    """Start a further VNF of the same function. Recorded; the local backend has no such operation yet."""

    vnf: str
    reason: Reason


@dataclass(frozen=True)
class RecommendSla:
    """Nothing can be done within the SLA: say what would have to change."""

    vnf: str
    reason: Reason


@dataclass(frozen=True)
class Hold:
    """Leave everything as it is, and say why."""

    vnf: str
    reason: Reason


Action = Share | Release | ScaleOut | RecommendSla | Hold


class Policy(Protocol):
    """A load-balancing policy."""

    def decide(self, observation: Observation) -> list[Action]:
        """Called once per scrape with what was seen; returns what is to be done."""

    def place(self, flow: Flow, targets: Sequence[VnfState]) -> str | None:
        """Called once per new flow, whose rate is 0 then; the key of the VNF that shall serve it, or None for
        its own. ``targets`` are those of its own VNF's function and class, this one included."""


class Forecaster(Protocol):
    """Predicts the usage of VNFs, all in one batch."""

    step_s: float
    window: int
    horizon: int
    quantiles: tuple[float, ...]

    def predict(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From ``float32[vnf, window, 4]`` to mean ``[vnf, horizon, 4]`` and quantiles
        ``[vnf, horizon, 4, quantile]``; ratios of the allotment, in the order of ``RESOURCES``."""


PlanT = TypeVar("PlanT", contravariant=True)


class Record(Protocol):
    """A lab's journal, as far as a backend needs it: written before each act, replayed to undo them."""

    def append(self, kind: str, **what: Any) -> None:
        """Write one record; it is on the disk when this returns."""

    def records(self) -> Iterator[dict[str, Any]]:
        """All records, oldest first."""


class Backend(Protocol[PlanT]):
    """Where a testbed runs. This is what a further backend implements; its plan is a type of its own."""

    def up(self, plan: PlanT, journal: Record) -> None:
        """Bring the testbed up and return when all of it works. Each act is journaled before it begins; on an
        error what was begun is undone."""

    def down(self, journal: Record) -> None:
        """Undo what a journal says, backwards, with the plan gone too. Raises ``CleanupIncomplete``."""

    def status(self) -> Mapping[str, Any]:
        """What runs, what does not, and since when: a JSON document."""

    def exec(
        self, node: str, argv: Sequence[str], *, stdout: Path | None = None, stderr: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """As ``Nodes.exec``: the only way to a node for traffic, capture and faults."""

    def scale_out(self, vnf: str) -> str:
        """Start a further VNF of the same function; its key."""

    def scrape_targets(self) -> Mapping[str, Any]:
        """What Prometheus scrapes."""


class Nodes(Protocol):
    """What traffic, capture and fault injection need of a backend: a way to run something on a node."""

    def exec(
        self, node: str, argv: Sequence[str], *, stdout: Path | None = None, stderr: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start ``argv`` on ``node`` (a VNF key or a node's name) and return the child; output goes to
        the given files, or to pipes. The child ends with this process."""
