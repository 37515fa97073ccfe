"""Before and after: the arm ``none`` against each other arm, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbedctl.analysis.statistics import Measured, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testbedctl.analysis.samples import Samples
    from testbedctl.records.manifest import Step

BASELINE = "none"

HIGHER_IS_BETTER = {
    "delivered_ratio": True,
    "settled_delivered_ratio": True,
    "loss_ratio": False,
    "others_loss_ratio": False,
    "vnf_cpu_ratio": False,
}

JUDGED = ("delivered_ratio", "others_loss_ratio")
"""What can make an arm worse, and what a gate asks for; the others are shown beside them."""


@dataclass(frozen=True)
class Change:
    """One quantity before and after; None where it was not measured. ``difference`` = after − before.

    ``judged`` is the difference with the interval that decides between better and worse, of what is in
    ``JUDGED``: it holds for all of them and all steps and arms together. None for the others.
    """

    quantity: str
    vnf: str | None
    before: Measured | None
    after: Measured | None
    difference: Measured | None
    judged: Measured | None
    verdict: Verdict


@dataclass(frozen=True)
class StepComparison:
    """All changes of one step. Its verdict is ``worse`` if one in ``JUDGED`` is, else that on
    ``delivered_ratio``."""

    step: int
    offered_bps: float
    verdict: Verdict
    changes: list[Change]

    def change(self, quantity: str, vnf: str | None = None) -> Change | None:
        """The change of one quantity, None if it does not exist in this run."""
        return next((c for c in self.changes if (c.quantity, c.vnf) == (quantity, vnf)), None)


@dataclass(frozen=True)
class Comparison:
    """The arm ``after`` against the arm ``before``."""

    before: str
    after: str
    verdict: Verdict
    steps: list[StepComparison]


def comparisons(
    samples: Samples, arms: Sequence[str], steps: Sequence[Step], exhausted: Sequence[str], *, alone: bool
) -> list[Comparison]:
    """Every arm against ``none``; empty when there is no arm ``none`` or no other.

    ``exhausted`` are the vDPIs whose CPU is compared too (§8.3: it falls); ``alone`` says that the
    testbed has no other service whose loss could rise.
    """
    if BASELINE not in arms:
        return []
    family = (len(arms) - 1) * len(steps) * (len(JUDGED) - alone)
    found = []
    for arm in arms:
        if arm != BASELINE:
            compared = [_step(samples, arm, step, exhausted, alone=alone, family=family) for step in steps]
            word = overall(step.verdict for step in compared)
            found.append(Comparison(BASELINE, arm, word, compared))
    return found


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of many: a single worse one decides, a missing one weighs more than a better one."""
    order: tuple[Verdict, ...] = ("worse", "not measured", "better", "inconclusive", "no difference")
    present = set(verdicts)
    return next((word for word in order if word in present), "not measured")


def _step(
    samples: Samples, arm: str, step: Step, exhausted: Sequence[str], *, alone: bool, family: int
) -> StepComparison:
    changes = [
        _change(samples, arm, step.step, quantity, vnf, family)
        for quantity in HIGHER_IS_BETTER
        if not (alone and quantity == "others_loss_ratio")
        for vnf in (exhausted if quantity == "vnf_cpu_ratio" else [None])
    ]
    word = next(change.verdict for change in changes if change.quantity == "delivered_ratio")
    if any(change.verdict == "worse" for change in changes if change.quantity in JUDGED):
        word = "worse"
    return StepComparison(step.step, step.offered_bps, word, changes)


def _change(samples: Samples, arm: str, step: int, quantity: str, vnf: str | None, family: int) -> Change:
    pair = (BASELINE, arm)
    before, after = (samples.measured(name, step, quantity, vnf) for name in pair)
    difference = samples.effect(pair, step, quantity, vnf)
    judged = samples.effect(pair, step, quantity, vnf, family) if quantity in JUDGED else None
    word = verdict(difference, judged, higher_is_better=HIGHER_IS_BETTER[quantity])
    return Change(quantity, vnf, before, after, difference, judged, word)
