"""The schedule of a trial: which camera sends when, and what that adds up to step by step.

Pure: the same profile, testbed and seed always give the same schedule. A rising step *adds* cameras, a
falling one ends those that came last; a running camera is never restarted, and none carries more than a
tenth of the profile's top rate, so that a load balancer can move traffic in whole cameras. (§8.2 of the
predictive-slicing paper; there one stream grew.)
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from testbedctl.errors import UsageError
from testbedctl.units import bps

if TYPE_CHECKING:
    from testbedctl.spec.profile import Arrivals, HoldRate, Profile
    from testbedctl.spec.testbed import Testbed

MAX_CAMERA_SHARE = 0.1
"""A camera's largest share of the top rate."""

MAX_CAMERAS = 500
"""Each is two processes, and every sink's process is there from the start."""

CHAIN = frozenset({"van", "vdpi", "vsre"})
"""What a service must have for a camera's stream to pass through it."""


Addresses = Callable[[str, int], tuple[str, str, int]]
"""From a service and a camera's number (from 1) to the IPv4 addresses that it sends from and to, and
the sink's port (UDP and TCP)."""


@dataclass(frozen=True)
class Step:
    """One step; ``offered_bps`` is the time-weighted mean of the stressed service's cameras."""

    step: int
    start_s: float
    end_s: float
    offered_bps: float


@dataclass(frozen=True)
class Camera:
    """One camera: ``service/number``, its rate (bit/s of UDP payload), whole seconds of start and stop."""

    camera: str
    service: str
    number: int
    rate_bps: int
    start_s: int
    stop_s: int
    source: str
    destination: str
    port: int


@dataclass(frozen=True)
class Schedule:
    """All cameras and steps of a trial; ``service`` is the stressed one. Times in s since its start."""

    service: str
    duration_s: int
    steps: tuple[Step, ...]
    cameras: tuple[Camera, ...]

    def step_at(self, second: float) -> int:
        """The step (from 1) that the time falls into; the last one after the end."""
        return next((s.step for s in self.steps if second < s.end_s), self.steps[-1].step)


class _Span(NamedTuple):
    rate_bps: int
    start_s: int
    stop_s: int


def schedule(profile: Profile, testbed: Testbed, seed: int, addresses: Addresses) -> Schedule:
    """Lay out a trial.

    Raises ``UsageError`` when the profile names a service that the testbed lacks, or asks for rates
    that cannot be sent (too many cameras, too large ones, one of less than a datagram a second).
    """
    carriers = _carriers(testbed)
    stressed = _stressed(profile, carriers)
    spans, bounds = _layout(profile, seed)
    duration_s = bounds[-1]
    everything = {stressed: spans}
    background = _background(profile, duration_s)
    everything.update({other: background for other in carriers if other != stressed and background})
    cameras = tuple(
        Camera(f"{service}/{number}", service, number, *span, *addresses(service, number))
        for service, its in everything.items()
        for number, span in enumerate(its, 1)
    )
    _check(cameras, profile)
    return Schedule(stressed, duration_s, _steps(spans, bounds), cameras)


def warm_up(full: Schedule, seconds: int) -> Schedule:
    """A short schedule to run before a trial, so that address and flow caches are filled: the first
    camera of every service for ``seconds``. Its measurements are not kept."""
    firsts = [c for c in full.cameras if c.number == 1]
    cameras = tuple(
        Camera(c.camera, c.service, 1, c.rate_bps, 0, seconds, c.source, c.destination, c.port)
        for c in firsts
    )
    offered = float(next(c.rate_bps for c in cameras if c.service == full.service))
    return Schedule(full.service, seconds, (Step(1, 0, seconds, offered),), cameras)


def _carriers(testbed: Testbed) -> list[str]:
    """The services that streams can pass through, in the order of the spec."""
    return [
        name
        for name, service in testbed.services.items()
        if {vnf.type for vnf in service.vnfs.values()} >= CHAIN
    ]


def _stressed(profile: Profile, carriers: Sequence[str]) -> str:
    if not carriers:
        raise UsageError(
            "no service of the testbed can carry traffic",
            hint="a service to be stressed needs a VNF of each of the types van, vdpi and vsre",
        )
    if profile.service is None:
        return carriers[0]
    if profile.service not in carriers:
        near = get_close_matches(profile.service, carriers, 1)
        raise UsageError(
            f"profile {profile.name!r}: the testbed has no service {profile.service!r} to stress",
            hint=f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(carriers)}",
        )
    return profile.service


def _layout(profile: Profile, seed: int) -> tuple[list[_Span], list[int]]:
    """The stressed service's cameras, and the seconds at which steps begin, the end last."""
    shape = profile.shape
    if shape.kind == "arrivals":
        return _arrivals(shape, seed), _even_bounds(shape)
    if shape.kind == "hold":
        rates, bounds = [shape.rate_mbps], _even_bounds(shape)
    else:
        if shape.kind == "exponential":
            rates = _exponential(shape.start_mbps, shape.factor, shape.top_mbps)
        elif shape.kind == "linear":
            rates = _linear(shape.start_mbps, shape.increment_mbps, shape.top_mbps)
        else:
            rates = list(shape.rates_mbps)
        bounds = [n * shape.step_s for n in range(len(rates) + 1)]
    return _following(rates, bounds), bounds


def _background(profile: Profile, duration_s: int) -> list[_Span]:
    """What another service carries throughout, in as many cameras as its rate takes."""
    rate_bps = round(bps(profile.background_mbps))
    count = math.ceil(round(profile.background_mbps / (MAX_CAMERA_SHARE * _top_mbps(profile)), 9))
    count = min(count, MAX_CAMERAS + 1)  # more are refused, so they need not be made
    return [_Span(part, 0, duration_s) for part in _split(rate_bps, count)] if rate_bps else []


def _top_mbps(profile: Profile) -> float:
    shape = profile.shape
    if shape.kind == "hold":
        return shape.rate_mbps
    return max(shape.rates_mbps) if shape.kind == "steps" else shape.top_mbps


def _even_bounds(shape: HoldRate | Arrivals) -> list[int]:
    return [*range(0, shape.duration_s, shape.step_s), shape.duration_s]


def _exponential(start: float, factor: float, top: float) -> list[float]:
    """start, start·factor, … and the top rate itself as the last step; all in Mb/s."""
    rises = math.ceil(round(math.log(top / start, factor), 9))
    return [start * factor**n for n in range(rises)] + [top]


def _linear(start: float, increment: float, top: float) -> list[float]:
    """start, start + increment, … and the top rate itself as the last step; all in Mb/s."""
    rises = math.ceil(round((top - start) / increment, 9))
    return [start + increment * n for n in range(rises)] + [top]


def _following(rates_mbps: Sequence[float], bounds: Sequence[int]) -> list[_Span]:
    """Cameras that come when the rate rises and end, the last to come first, when it falls."""
    largest_bps = bps(max(rates_mbps)) * MAX_CAMERA_SHARE
    running: list[_Span] = []
    ended: list[_Span] = []
    for rate, now_s in zip(rates_mbps, bounds, strict=False):
        wanted_bps = round(bps(rate))
        while sum(span.rate_bps for span in running) > wanted_bps:
            ended.append(running.pop()._replace(stop_s=now_s))
        added_bps = wanted_bps - sum(span.rate_bps for span in running)
        if added_bps or not running:
            count = max(1, math.ceil(round(added_bps / largest_bps, 9)))
            running += [_Span(part, now_s, bounds[-1]) for part in _split(added_bps, count)]
    return sorted(ended + running, key=lambda span: (span.start_s, -span.stop_s))


def _split(total: int, count: int) -> list[int]:
    """``total`` in ``count`` parts that differ by at most one."""
    part, rest = divmod(total, count)
    return [part + (n < rest) for n in range(count)]


def _arrivals(shape: Arrivals, seed: int) -> list[_Span]:
    """Cameras with exponential gaps and lifetimes, rounded to whole seconds; one is there from the
    start. An arrival that would exceed the top rate is turned away."""
    if shape.camera_mbps > shape.top_mbps * MAX_CAMERA_SHARE * (1 + 1e-9):
        raise UsageError(
            f"a camera of {shape.camera_mbps:g} Mb/s is more than {MAX_CAMERA_SHARE:.0%} of "
            f"{shape.top_mbps:g} Mb/s",
            hint="lower 'camera_mbps' or raise 'top_mbps': a share moves whole cameras",
        )
    chance = random.Random(seed)
    rate_bps = round(bps(shape.camera_mbps))
    places = math.floor(round(shape.top_mbps / shape.camera_mbps, 9))
    spans: list[_Span] = []
    at = 0.0
    while (start_s := round(at)) < shape.duration_s:
        stop_s = start_s + max(1, round(chance.expovariate(1 / shape.mean_lifetime_s)))
        if sum(span.stop_s > start_s for span in spans) < places:
            spans.append(_Span(rate_bps, start_s, min(stop_s, shape.duration_s)))
        at += chance.expovariate(1 / shape.mean_gap_s)
    return spans


def _steps(spans: Sequence[_Span], bounds: Sequence[int]) -> tuple[Step, ...]:
    return tuple(
        Step(number, start, end, _mean_rate(spans, start, end))
        for number, (start, end) in enumerate(pairwise(bounds), 1)
    )


def _mean_rate(spans: Sequence[_Span], start_s: int, end_s: int) -> float:
    bits = sum(s.rate_bps * max(0, min(s.stop_s, end_s) - max(s.start_s, start_s)) for s in spans)
    return bits / (end_s - start_s)


def _check(cameras: Sequence[Camera], profile: Profile) -> None:
    """iperf3 reads a rate of 0 as "unlimited", and below a datagram a second there is nothing to count."""
    if len(cameras) > MAX_CAMERAS:
        raise UsageError(
            f"profile {profile.name!r} needs {len(cameras)} cameras, more than {MAX_CAMERAS}",
            hint="use fewer and larger steps, or cameras that come less often",
        )
    slowest = min(cameras, key=lambda camera: camera.rate_bps)
    if slowest.rate_bps < 8 * profile.datagram_bytes:
        raise UsageError(
            f"profile {profile.name!r}: camera {slowest.camera} of {slowest.rate_bps} bit/s would send "
            f"less than one datagram of {profile.datagram_bytes} bytes a second",
            hint="use higher rates, larger steps or smaller datagrams",
        )
