"""Writes down what a trial has measured, and judges whether it may count."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from testbedctl.backends.local.lab import Lab
from testbedctl.experiment.counters import Inspected, Mark
from testbedctl.experiment.drops import DropWatch
from testbedctl.experiment.noise import NoiseWatch
from testbedctl.experiment.scrapes import SLOW_S, slow
from testbedctl.experiment.tables import Row, TrialTables
from testbedctl.records.run import TrialWriter
from testbedctl.traffic.schedule import Schedule

INSPECTED_AT_LEAST = 0.99
INSPECTED_AT_MOST = 1.01
LONGEST_GAP_S = 2.5
LEAST_MEASURED = 0.8
"""Of a trial's seconds, so many must have a measurement of each VNF."""


@dataclass(frozen=True)
class Outcome:
    """Whether a trial counts, and what is to be said of it."""

    valid: bool
    cause: str = ""
    warnings: tuple[str, ...] = ()


@dataclass
class Measured:
    """What a trial has gathered. ``marks`` are the borders of its steps, the first and the last at rest."""

    started_unix_s: float
    ended_unix_s: float
    marks: Sequence[Mark]
    inspected_before: Inspected
    inspected_after: Inspected


class Recorder:
    """Writes one trial: its tables first, its summary last."""

    def __init__(
        self, lab: Lab, schedule: Schedule, tables: TrialTables, noise: NoiseWatch, writer: TrialWriter
    ):
        self._lab, self._schedule, self._tables = lab, schedule, tables
        self._noise, self._writer = noise, writer

    def record(self, measured: Measured, drops: DropWatch, cookie: int, *, counted: bool) -> Outcome:
        """Write everything; ``counted`` says whether the traffic numbers its packets."""
        telemetry = self._tables.telemetry(self._lab, measured.ended_unix_s)
        vnfs = self._tables.vnfs(telemetry)
        self._writer.write_table("flows", self._tables.flows)
        self._writer.write_table("steps", self._tables.steps())
        self._writer.write_table("vnfs", vnfs)
        self._writer.write_table("telemetry", self._tables.telemetry_rows(telemetry))
        self._writer.write_table("hops", self._tables.hops(measured.marks, drops, counted=counted))
        causes = [*doubts(measured), *holes(vnfs, self._lab.plan.vnfs, self._schedule.duration_s)]
        late = len(slow(telemetry))
        left_out = [f"{late} scrapes took longer than {SLOW_S:g} s and were left out"] if late else []
        started = datetime.fromtimestamp(measured.started_unix_s, UTC)
        self._writer.write_trial(
            {
                "status": "invalid" if causes else "complete",
                "started": started.isoformat(timespec="milliseconds"),
                "duration_s": measured.ended_unix_s - measured.started_unix_s,
                "cookie": cookie,
                "noise": self._noise.record(),
                "dpi": {key: counts.record() for key, counts in inspections(measured).items()},
                "warnings": [*causes, *left_out],
            }
        )
        return Outcome(not causes, "; ".join(causes), (*left_out, *self._noise.warnings()))


@dataclass(frozen=True)
class Inspection:
    """Packets of a vDPI: received by its ports, forwarded by its switch, seen by its engine."""

    received: int
    forwarded: int
    inspected: int

    def record(self) -> dict[str, Any]:
        """As in ``trial.json``."""
        ratio = self.inspected / self.forwarded if self.forwarded else None
        return {"forwarded": self.forwarded, "inspected": self.inspected, "ratio": ratio}


def inspections(measured: Measured) -> dict[str, Inspection]:
    """What each vDPI with an engine received, forwarded and inspected."""
    before, after = measured.marks[0].ways, measured.marks[-1].ways
    found = {}
    for key, seen in measured.inspected_after.packets.items():
        lanes = [(before[service].lanes[key], after[service].lanes[key]) for service in after]
        found[key] = Inspection(
            received=sum(b.vdpi_rx - a.vdpi_rx for a, b in lanes),
            forwarded=sum(b.vdpi_flow - a.vdpi_flow for a, b in lanes),
            inspected=seen - measured.inspected_before.packets[key],
        )
    return found


def doubts(measured: Measured) -> Iterator[str]:
    """Why the engines' counts cannot be believed.

    An engine reads at the port, before the switch: it sees packets that the switch then drops, and no more
    than the port has received.
    """
    for key, counts in inspections(measured).items():
        if counts.inspected < INSPECTED_AT_LEAST * counts.forwarded:
            ratio = counts.inspected / counts.forwarded
            yield f"the engine of {key} saw only {ratio:.1%} of what was forwarded"
        if counts.inspected > INSPECTED_AT_MOST * counts.received:
            yield f"the engine of {key} saw {counts.inspected} packets where {counts.received} arrived"
    for when, inspected in (("before", measured.inspected_before), ("after", measured.inspected_after)):
        for key in inspected.unsettled:
            yield f"the count of the engine of {key} did not come to rest {when} the trial"


def holes(rows: Iterable[Row], vnfs: Iterable[str], duration_s: float) -> list[str]:
    """Where VNFs were not measured about once a second."""
    at_s: dict[str, list[float]] = {key: [] for key in vnfs}
    for row in rows:
        if row["cpu_ratio"] is not None and row["at_s"] <= duration_s:
            at_s[row["vnf"]].append(row["at_s"])
    found: dict[str, list[str]] = defaultdict(list)
    for key, times in at_s.items():
        gap_s = max(after - before for before, after in pairwise([0.0, *sorted(times), duration_s]))
        if gap_s > LONGEST_GAP_S:
            found[f"not measured for {gap_s:.1f} s"].append(key)
        elif len(times) < math.floor(LEAST_MEASURED * duration_s):
            found[f"measured only {len(times)} times in {duration_s:g} s"].append(key)
    return [f"{', '.join(keys)}: {what}" for what, keys in found.items()]
