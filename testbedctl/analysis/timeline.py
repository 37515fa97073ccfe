"""What happened when: offered and delivered load of the stressed service, second by second."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbedctl.analysis.results import applied_moves, delivered_bytes

if TYPE_CHECKING:
    from testbedctl.records.reader import RunReader, TrialReader


@dataclass(frozen=True)
class Second:
    """Delivered rate in one second of the trial, over the arm's trials: median, lowest, highest."""

    second: int
    delivered_bps: float
    low_bps: float
    high_bps: float


@dataclass(frozen=True)
class Move:
    """A share or release, at the trial second at which the switch had applied it."""

    trial: int
    applied_s: float
    action: str


@dataclass(frozen=True)
class Timeline:
    """One arm over the seconds of its trials."""

    arm: str
    seconds: list[Second]
    moves: list[Move]


def timelines(run: RunReader) -> list[Timeline]:
    """One timeline per arm that has a complete trial, in the order of the manifest."""
    found = []
    for arm in run.manifest.arms:
        trials = [trial for trial in run.trials if trial.record.arm == arm]
        if trials:
            found.append(Timeline(arm, _seconds(trials, run.manifest.service), _moves(trials)))
    return found


def _seconds(trials: list[TrialReader], service: str) -> list[Second]:
    rates: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        for second, size in delivered_bytes(trial, service).items():
            rates[second].append(8.0 * size)
    return [
        Second(second, statistics.median(values), min(values), max(values))
        for second, values in sorted(rates.items())
    ]


def _moves(trials: list[TrialReader]) -> list[Move]:
    return [
        Move(trial.record.trial, applied_s, decision.action)
        for trial in trials
        for applied_s, decision in applied_moves(trial.decisions())
    ]
