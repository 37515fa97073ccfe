"""Stress profiles: what is offered to the vAN of one service over time.

The descriptions end up in the published JSON Schema, so an editor shows them while a file is written.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from testbedctl.spec.quoting import number_text
from testbedctl.spec.testbed import Name, Strict, Text, broken_rule

MAX_STEPS = 10_000
"""A profile of more steps is taken for a slip of the pen: 10 000 steps of 1 s are nearly three hours."""
MAX_ARRIVALS = 10_000
"""Mean number of cameras that ``arrivals`` may start in one trial."""

RateMbps = Annotated[float, Field(gt=0, le=100_000, description="Mb/s (10^6 bits per second)")]
StepSeconds = Annotated[int, Field(ge=1, le=86_400, description="whole seconds")]


class Exponential(Strict):
    """Doubling (or another factor) each step, the last step at ``top_mbps`` (§8.2 of the paper)."""

    kind: Literal["exponential"]
    start_mbps: RateMbps
    factor: Annotated[float, Field(gt=1, le=100, description="each step offers so many times more")] = 2
    top_mbps: RateMbps
    step_s: StepSeconds

    @field_validator("top_mbps")
    @classmethod
    def _rises_in_bounded_steps(cls, top_mbps: float, info: ValidationInfo) -> float:
        start_mbps, factor = info.data.get("start_mbps"), info.data.get("factor")
        _check_rise(start_mbps, top_mbps)
        if start_mbps and factor and math.log(top_mbps / start_mbps) > MAX_STEPS * math.log(factor):
            raise broken_rule(f"{_too_many_steps()}; use a larger factor", at="factor")
        return top_mbps


class Linear(Strict):
    """A ramp in equal steps."""

    kind: Literal["linear"]
    start_mbps: RateMbps
    top_mbps: RateMbps
    increment_mbps: RateMbps
    step_s: StepSeconds

    @field_validator("top_mbps")
    @classmethod
    def _rises(cls, top_mbps: float, info: ValidationInfo) -> float:
        _check_rise(info.data.get("start_mbps"), top_mbps)
        return top_mbps

    @field_validator("increment_mbps")
    @classmethod
    def _steps_are_bounded(cls, increment_mbps: float, info: ValidationInfo) -> float:
        start_mbps, top_mbps = info.data.get("start_mbps"), info.data.get("top_mbps")
        if start_mbps and top_mbps and top_mbps - start_mbps > MAX_STEPS * increment_mbps:
            raise broken_rule(f"{_too_many_steps()}; use a larger increment")
        return increment_mbps


class Steps(Strict):
    """Rates written out. A rise adds cameras, a fall ends those that came last."""

    kind: Literal["steps"]
    rates_mbps: Annotated[
        list[RateMbps], Field(min_length=1, max_length=1000, description="the rate of each step, in Mb/s")
    ]
    step_s: StepSeconds


class HoldRate(Strict):
    """One rate for one time, reported in steps of ``step_s``."""

    kind: Literal["hold"]
    rate_mbps: RateMbps
    duration_s: StepSeconds
    step_s: Annotated[
        StepSeconds, Field(description="whole seconds of a reported step", validate_default=True)
    ] = 10

    @field_validator("step_s")
    @classmethod
    def _steps_fit(cls, step_s: int, info: ValidationInfo) -> int:
        return _fitting(step_s, info.data.get("duration_s"))


class Arrivals(Strict):
    """Cameras come and go at random: exponential gaps and lifetimes, from the run's seed."""

    kind: Literal["arrivals"]
    camera_mbps: Annotated[RateMbps, Field(description="what each camera sends, in Mb/s")]
    mean_gap_s: Annotated[
        float, Field(gt=0, le=86_400, description="mean seconds between two cameras that come")
    ]
    mean_lifetime_s: Annotated[float, Field(gt=0, le=86_400, description="mean seconds that a camera stays")]
    top_mbps: Annotated[RateMbps, Field(description="no camera comes that would exceed this sum, in Mb/s")]
    duration_s: StepSeconds
    step_s: Annotated[
        StepSeconds, Field(description="whole seconds of a reported step", validate_default=True)
    ] = 10

    @field_validator("top_mbps")
    @classmethod
    def _a_camera_fits(cls, top_mbps: float, info: ValidationInfo) -> float:
        if info.data.get("camera_mbps", 0) > top_mbps:
            raise broken_rule(f"is above 'top_mbps' ({top_mbps:g}): no camera could come", at="camera_mbps")
        return top_mbps

    @field_validator("duration_s")
    @classmethod
    def _arrivals_are_bounded(cls, duration_s: int, info: ValidationInfo) -> int:
        if duration_s > MAX_ARRIVALS * info.data.get("mean_gap_s", duration_s):
            many = number_text(MAX_ARRIVALS)
            raise broken_rule(f"brings more than {many} cameras; use a longer gap", at="mean_gap_s")
        return duration_s

    @field_validator("step_s")
    @classmethod
    def _steps_fit(cls, step_s: int, info: ValidationInfo) -> int:
        return _fitting(step_s, info.data.get("duration_s"))


Shape = Annotated[Exponential | Linear | Steps | HoldRate | Arrivals, Field(discriminator="kind")]


class Profile(Strict):
    """A stress profile: the rate offered to one service, while the others carry a background."""

    name: Annotated[Name, Field(description="the profile's name")]
    description: Annotated[Text, Field(description="one line for people")] = ""
    traffic: Annotated[Literal["udp", "tcp", "pcap"], Field(description="what the cameras send")] = "udp"
    pcap: Annotated[
        str | None,
        Field(description="capture file for traffic 'pcap', relative to this file", validate_default=True),
    ] = None
    datagram_bytes: Annotated[int, Field(ge=64, le=1448, description="UDP payload of one datagram")] = 1400
    service: Annotated[
        Name | None, Field(description="the service under stress; the testbed's first if left out")
    ] = None
    background_mbps: Annotated[
        float, Field(ge=0, le=100_000, description="what every other service carries meanwhile, in Mb/s")
    ] = 2
    warm_up_s: Annotated[
        int, Field(ge=0, le=3600, description="seconds of traffic before the first step")
    ] = 2
    shape: Annotated[Shape, Field(description="the offered rate over time")]

    @field_validator("pcap")
    @classmethod
    def _pcap_goes_with_traffic(cls, pcap: str | None, info: ValidationInfo) -> str | None:
        traffic = info.data.get("traffic")
        if traffic == "pcap" and pcap is None:
            raise broken_rule("'pcap' needs the key 'pcap', which names the capture file", at="traffic")
        if traffic not in ("pcap", None) and pcap is not None:
            raise broken_rule(f"belongs to traffic 'pcap', not to {traffic!r}")
        return pcap


def _check_rise(start_mbps: float | None, top_mbps: float) -> None:
    if start_mbps is not None and top_mbps < start_mbps:
        raise broken_rule(f"is {top_mbps:g}, below 'start_mbps' ({start_mbps:g})")


def _fitting(step_s: int, duration_s: int | None) -> int:
    """The length of a step, if at least one and not too many fit into the duration."""
    if duration_s is not None and step_s > duration_s:
        raise broken_rule(f"is {step_s}, longer than 'duration_s' ({duration_s})")
    if duration_s is not None and duration_s > MAX_STEPS * step_s:
        raise broken_rule(f"{_too_many_steps()}; use longer steps")
    return step_s


def _too_many_steps() -> str:
    return f"makes more than {number_text(MAX_STEPS)} steps"
