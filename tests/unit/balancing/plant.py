"""A small model of the testbed that closes the loop: VNFs with a quota, cameras, shares, 1 s samples.

It is what the policies are tested against without a machine. A VNF's CPU is ``base + cost × rate``, cut at
its quota; what does not fit is lost. With ``waking`` it is all used before traffic is lost. A move takes
effect within the second after its decision, so that the next sample is a mixture. Measured values carry
seeded noise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from testbedctl.ports import Action, Flow, Hold, Observation, Policy, Release, Share, ShareInForce, VnfState

COST = 0.36 / 600e6  # cores per bit/s, as the FACTS of the testbed have it
START_S = 1_000_000.0
APPLIED_AFTER_S = 0.4

Rate = Callable[[float], float]
"""Bits per second at a time within the run."""


Kind = TypeVar("Kind", Share, Release, Hold)


@dataclass(frozen=True)
class Vdpi:
    """A vDPI as it really is."""

    service: str
    quota: float = 0.25
    base: float = 0.0125
    threshold: float = 0.6
    share_limit: float = 0.6
    vnf_class: str = "T1"
    name: str = "vdpi"
    ram: float = 0.2
    storage: float = 0.1
    waking: float = 1.0  # what a bit costs while the switch is not always busy, ÷ what it costs when it is

    @property
    def key(self) -> str:
        return f"{self.service}/{self.name}"


@dataclass(frozen=True)
class Camera:
    """A camera of a service."""

    id: str
    home: str
    rate: Rate


@dataclass
class Outcome:
    """What happened in a run."""

    actions: list[tuple[float, Action]] = field(default_factory=list)
    offered: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    demand: dict[str, float] = field(default_factory=dict)

    def of(self, kind: type[Kind]) -> list[tuple[float, Kind]]:
        """The actions of one kind with their times."""
        return [(at, action) for at, action in self.actions if isinstance(action, kind)]

    @property
    def moves(self) -> list[tuple[float, Action]]:
        """Shares and releases."""
        return [(at, action) for at, action in self.actions if not isinstance(action, Hold)]

    def served_ratio(self, first_s: int, last_s: int) -> float:
        """Served ÷ offered from second ``first_s`` to before ``last_s``."""
        return sum(self.served[first_s:last_s]) / sum(self.offered[first_s:last_s])


class Plant:
    """The testbed with its policy, run second by second."""

    def __init__(self, vdpis: list[Vdpi], cameras: list[Camera], seed: int = 0, noise: float = 0.05):
        self.vdpis = {vdpi.key: vdpi for vdpi in vdpis}
        self.cameras = cameras
        self.random = random.Random(seed)
        self.noise = noise
        self.shares: dict[str, ShareInForce] = {}
        self.path = {camera.id: camera.home for camera in cameras}
        self.usage_overrides: Callable[[int, str], Mapping[str, float] | None] = lambda _second, _key: None
        self._before: dict[str, str] = {}
        self._share_number = 0

    def run(self, policy: Policy, seconds: int) -> Outcome:
        """Let ``policy`` act for ``seconds``."""
        outcome = Outcome()
        for second in range(1, seconds + 1):
            observation = self.sample(second, outcome)
            self._before = dict(self.path)
            for action in policy.decide(observation):
                outcome.actions.append((second, action))
                self._apply(action, START_S + second + APPLIED_AFTER_S)
        outcome.demand = {key: self._demand(key, seconds) for key in self.vdpis}
        return outcome

    def sample(self, second: int, outcome: Outcome) -> Observation:
        """What Prometheus shows at the end of ``second``."""
        rates = {camera.id: camera.rate(second - 1) for camera in self.cameras}
        vnfs, served = {}, 0.0
        for key, vdpi in self.vdpis.items():
            before = sum(rate for id, rate in rates.items() if (self._before or self.path)[id] == key)
            after = sum(rate for id, rate in rates.items() if self.path[id] == key)
            through = APPLIED_AFTER_S * min(before, capacity(vdpi)) + (1 - APPLIED_AFTER_S) * min(
                after, capacity(vdpi)
            )
            served += through
            usage = min(1.0, (vdpi.base + vdpi.waking * COST * through) / vdpi.quota)
            vnfs[key] = self._state(second, vdpi, self._noisy(usage), self._noisy(through))
        outcome.offered.append(sum(rates.values()))
        outcome.served.append(served)
        flows = tuple(self._flow(camera, rates[camera.id]) for camera in self.cameras if rates[camera.id] > 0)
        return Observation(START_S + second, 0.2, vnfs, flows, tuple(self.shares.values()))

    def _state(self, second: int, vdpi: Vdpi, usage: float, processed: float) -> VnfState:
        values = {"cpu": usage, "ram": vdpi.ram, "storage": vdpi.storage, "network": processed / 1e9}
        override = self.usage_overrides(second, vdpi.key)
        return VnfState(
            key=vdpi.key,
            service=vdpi.service,
            function="vdpi",
            vnf_class=vdpi.vnf_class,
            domain="edge",
            usage=values if override is None else override,
            thresholds={"cpu": vdpi.threshold, "ram": 0.9, "storage": 0.9},
            cpu_quota_cores=vdpi.quota,
            share_limit=vdpi.share_limit,
            processed_bps=processed,
        )

    def _flow(self, camera: Camera, rate: float) -> Flow:
        service, number = camera.id.split("/")
        source, sink = f"10.1.0.{number}", "10.2.0.1"
        return Flow(camera.id, service, source, sink, camera.home, self.path[camera.id], self._noisy(rate))

    def _noisy(self, value: float) -> float:
        return value * (1 + self.random.uniform(-self.noise, self.noise))

    def _demand(self, key: str, second: int) -> float:
        """Demand ÷ quota at ``second``: above 1 the VNF loses traffic."""
        rate = sum(c.rate(second - 1) for c in self.cameras if self.path[c.id] == key)
        return (self.vdpis[key].base + COST * rate) / self.vdpis[key].quota

    def _apply(self, action: Action, at_s: float) -> None:
        if isinstance(action, Share):
            assert action.flow_ids, "a share without a camera"
            assert all(self.path[id] == action.source for id in action.flow_ids), "moved a camera twice"
            self._share_number += 1
            name = f"share-{self._share_number}"
            self.shares[name] = ShareInForce(
                name, action.source, action.target, action.flow_ids, action.limit, at_s
            )
            self.path.update(dict.fromkeys(action.flow_ids, action.target))
        elif isinstance(action, Release):
            share = self.shares.pop(action.share_id)
            self.path.update(dict.fromkeys(share.flow_ids, share.source))
        self._check_no_chain()

    def _check_no_chain(self) -> None:
        sources = {share.source for share in self.shares.values()}
        targets = {share.target for share in self.shares.values()}
        assert not sources & targets, "a VNF lends and borrows at once"


def capacity(vdpi: Vdpi) -> float:
    """Bits per second that fit the quota."""
    return (vdpi.quota - vdpi.base) / COST


def constant(rate_mbps: float, first_s: float = 0.0, last_s: float = float("inf")) -> Rate:
    """A rate between two times, and silence outside."""
    return lambda t: rate_mbps * 1e6 if first_s <= t < last_s else 0.0


def equal(service: str, count: int, rate: Rate, name: str = "vdpi") -> list[Camera]:
    """``count`` cameras of a service, each with ``rate``."""
    return [Camera(f"{service}/{number}", f"{service}/{name}", rate) for number in range(count)]


def two(stressed: list[Camera], background_mbps: float = 2) -> tuple[list[Vdpi], list[Camera]]:
    """The default testbed: ``service1`` stressed, ``service2`` with its background."""
    background = equal("service2", 1, constant(background_mbps))
    return [Vdpi("service1"), Vdpi("service2")], stressed + background
