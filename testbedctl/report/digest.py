"""The decisions of a run in a few lines: each trial's first share, and how many more there were."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbedctl.units import percent

if TYPE_CHECKING:
    from testbedctl.report.document import ArmReport, DecisionReport, Report

LINES = 12
"""At most so many decisions are shown; the JSON report has all."""


@dataclass(frozen=True)
class Shown:
    """A decision as a table shows it."""

    arm: str
    trial: str
    at: str
    action: str
    moved: str
    why: str
    applied: str


@dataclass(frozen=True)
class Digest:
    """The decisions that are shown, and a sentence per arm with the totals."""

    shown: list[Shown]
    totals: list[str]


def digest(report: Report) -> Digest:
    """The first decision of each trial that moved something, as far as ``LINES`` reach."""
    first = [(arm, decision) for arm in report.arms for decision in _first_moves(arm)]
    shown = [_shown(arm.name, decision) for arm, decision in first[:LINES]]
    totals = [_total(arm) for arm in report.arms]
    if len(first) > LINES:
        totals.append(f"{len(first) - LINES} more trials with a first move are in the JSON report")
    return Digest(shown, totals)


def _first_moves(arm: ArmReport) -> list[DecisionReport]:
    first: dict[int, DecisionReport] = {}
    for decision in arm.decisions:
        if decision.action != "hold":
            first.setdefault(decision.trial, decision)
    return list(first.values())


def _shown(arm: str, decision: DecisionReport) -> Shown:
    applied = "–" if decision.applied_after_s is None else f"{decision.applied_after_s:.2f}"
    target = f" → {decision.target}" if decision.target else ""
    return Shown(
        arm=arm,
        trial=str(decision.trial),
        at=f"{decision.at_s:.1f}",
        action=decision.action,
        moved=decision.vnf + target,
        why=_why(decision),
        applied=applied,
    )


def _why(decision: DecisionReport) -> str:
    if decision.observed is None or decision.threshold is None:
        return decision.reason
    sign = ">" if decision.observed > decision.threshold else "≤"
    text = f"{percent(decision.observed):.0f} % {sign} {percent(decision.threshold):.0f} %"
    forecast = "" if decision.forecast is None else f"{percent(decision.forecast):.0f} %"
    if forecast and not text.startswith(f"{forecast} "):  # that of "nothing changes" says nothing new
        text += f", forecast {forecast}"
    return text


def _total(arm: ArmReport) -> str:
    if not arm.decisions:
        return f"{arm.name} decided nothing"
    counts = Counter(decision.action for decision in arm.decisions)
    found = ", ".join(f"{action} {counts[action]} ×" for action in sorted(counts))
    in_trials = len({decision.trial for decision in arm.decisions})
    return f"{arm.name} decided in {in_trials} of {arm.trials} trials: {found}"
