"""Rows of ``flows.parquet``: what one camera sent and what arrived, second by second of the trial."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from testbedctl.traffic.schedule import Camera, Schedule


@dataclass(frozen=True)
class FlowRow:
    """One camera and second (since the trial's start). Fields are the columns of ``flows.parquet``.

    Packet counts, losses and jitter are None where the kind of traffic has none to count (TCP).
    """

    camera: str
    service: str
    second: int
    step: int
    sent_bytes: int
    sent_packets: int | None
    delivered_bytes: int
    delivered_packets: int | None
    lost_packets: int | None
    jitter_s: float | None


@dataclass(frozen=True)
class Columns:
    """The measured columns of a camera, one value per second of its life."""

    sent_bytes: Sequence[int]
    sent_packets: Sequence[int] | None
    delivered_bytes: Sequence[int]
    delivered_packets: Sequence[int] | None
    lost_packets: Sequence[int] | None
    jitter_s: Sequence[float] | None

    def rows(self, camera: Camera, schedule: Schedule) -> list[FlowRow]:
        """The rows of the camera; its second 0 is the trial's second ``camera.start_s``."""
        columns = (
            self.sent_bytes,
            self.sent_packets,
            self.delivered_bytes,
            self.delivered_packets,
            self.lost_packets,
            self.jitter_s,
        )
        return [
            FlowRow(
                camera.camera,
                camera.service,
                second,
                schedule.step_at(second),
                *(None if column is None else column[second - camera.start_s] for column in columns),  # type: ignore[arg-type]
            )
            for second in range(camera.start_s, camera.stop_s)
        ]


def per_second(ends_s: Sequence[float], amounts: Sequence[int], seconds: int) -> list[int]:
    """Spread what was counted in intervals over whole seconds; the sum stays exactly the same.

    ``ends_s`` are the intervals' ends by the counting program's own clock, ``amounts`` what fell into
    each. Reporting intervals of iperf3 end some 0.1 ms beside the whole second, on a busy machine far
    more, and the two sides differ. Whatever was counted after the last whole second belongs to it.
    """
    totals = [0]
    for amount in amounts:
        totals.append(totals[-1] + amount)
    times = [0.0, *ends_s]
    marks = [round(_at(times, totals, second)) for second in range(seconds)] + [totals[-1]]
    return [after - before for before, after in pairwise(marks)]


def _at(times: Sequence[float], totals: Sequence[int], at_s: float) -> float:
    """The running total at a time, linear between the known points."""
    after = bisect_left(times, at_s)
    if after == 0:
        return totals[0]
    if after == len(times):
        return totals[-1]
    part = (at_s - times[after - 1]) / (times[after] - times[after - 1])
    return totals[after - 1] + part * (totals[after] - totals[after - 1])
