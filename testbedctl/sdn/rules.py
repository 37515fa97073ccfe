"""What a switch shall do, as plain data: routes, cameras and shares, and the rules that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

ROUTE_PRIORITY = 50
CAMERA_PRIORITY = 100
SHARE_PRIORITY = 200
MAX_COOKIE = (1 << 53) - 1
"""Cookies of runs go from 1 to this, so that every JSON reader keeps them exact."""
BASE_COOKIE = 1 << 63
"""Marks the routes."""
ANY_RUN = -1
"""In place of a cookie: whatever run it is. No rule can carry it."""
PICK_STEPS = 1_000_000
"""Resolution of ``pick``: a millionth of the wanted rate."""


@dataclass(frozen=True)
class Pair:
    """A camera's stream: exact IPv4 source and destination."""

    source: str
    destination: str


@dataclass(frozen=True)
class Routes:
    """Where a whole prefix of cameras goes before single cameras are known, and how answers come back."""

    camera_port: str
    prefix: str
    destination: str
    default_port: str
    vdpi_ports: tuple[str, ...]
    name: str | None = None


@dataclass(frozen=True)
class Camera:
    """One camera's own way: to the vDPI of its own service."""

    pair: Pair
    output_port: str


@dataclass(frozen=True)
class Share:
    """Whole cameras that another vDPI serves. ``source`` and ``target`` are names for the record."""

    id: str
    switch: str
    source: str
    target: str
    output_port: str
    flows: tuple[Pair, ...]
    cookie: int
    limit_bps: int | None = None
    meter_id: int | None = None
    applied_unix_s: float = 0.0


@dataclass(frozen=True)
class Rule:
    """One flow entry of table 0. Addresses are ``a.b.c.d`` or ``a.b.c.d/n``; ports are numbers."""

    priority: int
    cookie: int
    source: str | None
    destination: str | None
    in_port: int | None
    output: int | None
    meter_id: int | None = None

    @property
    def key(self) -> tuple[int, str | None, str | None, int | None]:
        """What OpenFlow identifies an entry by: its priority and its match."""
        return (self.priority, self.source, self.destination, self.in_port)


@dataclass(frozen=True)
class Meter:
    """Drops what exceeds ``rate_kbps`` (10^3 bits per second)."""

    id: int
    rate_kbps: int


@dataclass(frozen=True)
class Desired:
    """Everything that was asked of one switch."""

    routes: Routes | None = None
    cameras: Mapping[int, tuple[Camera, ...]] = field(default_factory=dict)
    shares: Mapping[str, Share] = field(default_factory=dict)

    def with_cameras(self, cookie: int, cameras: tuple[Camera, ...]) -> Desired:
        """The same with the cameras of one run replaced."""
        others = {key: value for key, value in self.cameras.items() if key != cookie}
        return replace(self, cameras=others | ({cookie: cameras} if cameras else {}))

    def with_share(self, share: Share) -> Desired:
        """The same with this share added or replaced."""
        return replace(self, shares={**self.shares, share.id: share})

    def without_share(self, share_id: str) -> Desired:
        """The same without this share."""
        return replace(self, shares={key: s for key, s in self.shares.items() if key != share_id})

    def stamped(self, applied_unix_s: float) -> Desired:
        """The same with this time on every share that has none yet."""
        shares = {
            key: s if s.applied_unix_s else replace(s, applied_unix_s=applied_unix_s)
            for key, s in self.shares.items()
        }
        return replace(self, shares=shares)

    def without_run(self, cookie: int) -> Desired:
        """The same without anything that a run asked for."""
        shares = {key: s for key, s in self.shares.items() if s.cookie != cookie}
        return replace(self.with_cameras(cookie, ()), shares=shares)

    def without_runs(self) -> Desired:
        """The routes alone."""
        return replace(self, cameras={}, shares={})

    def rules(self, ports: Mapping[str, int]) -> set[Rule]:
        """The entries that realise it on a switch with these ports; what needs a missing port is left out."""
        found = set(self._route_rules(ports))
        for cookie, cameras in self.cameras.items():
            found.update(
                _pair_rule(CAMERA_PRIORITY, cookie, camera.pair, ports[camera.output_port])
                for camera in cameras
                if camera.output_port in ports
            )
        for share in self.shares.values():
            if share.output_port in ports:
                found.update(
                    _pair_rule(SHARE_PRIORITY, share.cookie, pair, ports[share.output_port], share.meter_id)
                    for pair in share.flows
                )
        return found

    def meters(self) -> set[Meter]:
        """The meters of the shares that have a limit."""
        return {
            Meter(share.meter_id, math.ceil(share.limit_bps / 1000))
            for share in self.shares.values()
            if share.meter_id is not None and share.limit_bps is not None
        }

    def _route_rules(self, ports: Mapping[str, int]) -> Iterable[Rule]:
        routes = self.routes
        if routes is None or routes.camera_port not in ports:
            return
        camera_port = ports[routes.camera_port]
        if routes.default_port in ports:
            yield Rule(
                ROUTE_PRIORITY,
                BASE_COOKIE,
                routes.prefix,
                routes.destination,
                camera_port,
                ports[routes.default_port],
            )
        for name in routes.vdpi_ports:
            if name in ports:
                yield Rule(ROUTE_PRIORITY, BASE_COOKIE, None, routes.prefix, ports[name], camera_port)


def _pair_rule(priority: int, cookie: int, pair: Pair, output: int, meter_id: int | None = None) -> Rule:
    return Rule(priority, cookie, pair.source, pair.destination, None, output, meter_id)


def pick(rates_bps: Mapping[Pair, float], wanted_bps: float) -> tuple[Pair, ...]:
    """The whole flows whose rates add up closest to ``wanted_bps`` without passing it.

    Exact to a millionth of ``wanted_bps``: each bit of ``reachable[n]`` is a sum that the first n flows
    can make. Flows without traffic are never picked.
    """
    if wanted_bps <= 0:
        return ()
    weights = {
        pair: math.ceil(rate / wanted_bps * PICK_STEPS)
        for pair, rate in rates_bps.items()
        if 0 < rate <= wanted_bps
    }
    within = (1 << (PICK_STEPS + 1)) - 1
    reachable = [1]
    for weight in weights.values():
        reachable.append((reachable[-1] | reachable[-1] << weight) & within)
    left = reachable[-1].bit_length() - 1
    picked = []
    for (pair, weight), sums in zip(reversed(weights.items()), reversed(reachable[:-1]), strict=True):
        if not sums >> left & 1:
            picked.append(pair)
            left -= weight
    return tuple(reversed(picked))
