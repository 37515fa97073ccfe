"""Stress profiles: what is offered to the vAN of one service over time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from testbedctl.spec.testbed import Name, Strict

RateMbps = Annotated[float, Field(gt=0, le=100_000)]
StepSeconds = Annotated[int, Field(ge=1, le=86_400)]


class Exponential(Strict):
    """Doubling (or another factor) each step, the last step at ``top_mbps`` (§8.2 of the paper)."""

    kind: Literal["exponential"]
    start_mbps: RateMbps
    factor: Annotated[float, Field(gt=1, le=100)] = 2
    top_mbps: RateMbps
    step_s: StepSeconds


class Linear(Strict):
    """A ramp in equal steps."""

    kind: Literal["linear"]
    start_mbps: RateMbps
    top_mbps: RateMbps
    increment_mbps: RateMbps
    step_s: StepSeconds


class Steps(Strict):
    """Rates written out; they may not fall, since running cameras are never ended by a step."""

    kind: Literal["steps"]
    rates_mbps: Annotated[list[RateMbps], Field(min_length=1, max_length=1000)]
    step_s: StepSeconds

    @model_validator(mode="after")
    def _rates_rise(self) -> Steps:
        if any(b < a for a, b in zip(self.rates_mbps, self.rates_mbps[1:], strict=False)):
            raise ValueError("'rates_mbps' must not fall: a step adds cameras")
        return self


class HoldRate(Strict):
    """One rate for one time, reported in steps of ``step_s``."""

    kind: Literal["hold"]
    rate_mbps: RateMbps
    duration_s: StepSeconds
    step_s: StepSeconds = 10


class Arrivals(Strict):
    """Cameras come and go at random: exponential gaps and lifetimes, from the run's seed."""

    kind: Literal["arrivals"]
    camera_mbps: RateMbps
    mean_gap_s: Annotated[float, Field(gt=0, le=86_400)]
    mean_lifetime_s: Annotated[float, Field(gt=0, le=86_400)]
    top_mbps: RateMbps
    duration_s: StepSeconds
    step_s: StepSeconds = 10


Shape = Annotated[
    Exponential | Linear | Steps | HoldRate | Arrivals, Field(discriminator="kind")
]


class Profile(Strict):
    """A stress profile. ``background_mbps`` is what every other service carries meanwhile."""

    name: Name
    description: str = ""
    traffic: Literal["udp", "tcp", "pcap"] = "udp"
    pcap: str | None = None
    datagram_bytes: Annotated[int, Field(ge=64, le=1448)] = 1400
    service: Name | None = None
    background_mbps: Annotated[float, Field(ge=0, le=100_000)] = 2
    warm_up_s: Annotated[int, Field(ge=0, le=3600)] = 2
    shape: Shape

    @model_validator(mode="after")
    def _pcap_named(self) -> Profile:
        if (self.traffic == "pcap") != (self.pcap is not None):
            raise ValueError("'pcap' names the capture file for traffic 'pcap', and only for it")
        return self
