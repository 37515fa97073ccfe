"""When a vDPI lost packets at its input, and whether its CPU quota was exhausted then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Protocol

from testbedctl.experiment.counters import Snapshot
from testbedctl.traffic.hops import DropSample


class Reader(Protocol):
    """What is asked of ``CounterReader``."""

    def read(self) -> Snapshot:
        """One snapshot of all services' ways."""

    def throttled_s(self, vdpi: str) -> float:
        """For how long a vDPI's quota has held it back, in seconds."""


@dataclass(frozen=True)
class _Reading:
    """``missed``: packets that a vDPI's port to a service has received and its switch has not counted yet."""

    at_s: float
    missed: Mapping[tuple[str, str], int]
    throttled_s: Mapping[str, float]


class DropWatch:
    """Reads about once a second. Times are seconds since the trial's start."""

    PERIOD_S = 1.0

    def __init__(self, reader: Reader):
        self._reader = reader
        self._readings: list[_Reading] = []

    def poll(self, now_s: float) -> bool:
        """Take a reading if one is due, and say whether it was; cheap otherwise."""
        if self._readings and now_s - self._readings[-1].at_s < self.PERIOD_S:
            return False
        self.note(now_s, self._reader.read())
        return True

    def note(self, at_s: float, snapshot: Snapshot) -> None:
        """Take a reading from a snapshot; the first one is what all others are compared with."""
        missed = {
            (service, vdpi): lane.vdpi_rx - lane.vdpi_flow
            for service, way in snapshot.items()
            for vdpi, lane in way.lanes.items()
        }
        throttled = {vdpi: self._reader.throttled_s(vdpi) for vdpi in {vdpi for _, vdpi in missed}}
        self._readings.append(_Reading(at_s, missed, throttled))

    def samples(self, service: str, after_s: float, until_s: float) -> list[DropSample]:
        """What the vDPIs on a service's way lost of it in the readings of a span of time."""
        vdpis = [vdpi for name, vdpi in self._readings[0].missed if name == service]
        return [sample for vdpi in vdpis for sample in self._lane(service, vdpi, after_s, until_s)]

    def _lane(self, service: str, vdpi: str, after_s: float, until_s: float) -> Iterator[DropSample]:
        # A switch publishes its counts late, so packets may look missed that are counted a moment later.
        # What is still missing in every later reading is lost.
        missed = [reading.missed[service, vdpi] for reading in self._readings]
        lost = list(accumulate(reversed(missed), min))[::-1]
        for (before, now), (lost_before, lost_now) in zip(
            pairwise(self._readings), pairwise(lost), strict=True
        ):
            if after_s < now.at_s <= until_s and lost_now > lost_before:
                throttled = now.throttled_s[vdpi] > before.throttled_s[vdpi]
                yield DropSample(lost_now - lost_before, throttled)
