"""The first sentences of a report: the verdict, and the step in which most changed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from testbedctl.analysis.comparison import JUDGED
from testbedctl.report.wording import quantity_name, share, spread
from testbedctl.units import mbps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbedctl.analysis.comparison import Change, Comparison, StepComparison
    from testbedctl.analysis.statistics import Measured, Verdict
    from testbedctl.report.document import Report

_ORDER: tuple[Verdict, ...] = ("worse", "better", "no difference", "inconclusive", "not measured")


def headline(report: Report) -> list[str]:
    """A sentence or two per arm: what changed, in how many steps, and where most."""
    sentences = [" ".join(_sentences(comparison)) for comparison in report.comparison]
    if not sentences:
        names = ", ".join(arm.name for arm in report.arms)
        missing = "no arm 'none' to compare with" if len(report.arms) > 1 else "one arm, nothing to compare"
        sentences = [f"Measured {names}: {missing}."]
    if report.status != "complete":
        sentences.insert(0, f"This run is {report.status}: the verdict rests on its complete trials.")
    return sentences


def _sentences(comparison: Comparison) -> Iterator[str]:
    found = _largest(comparison)
    single = found is not None and found[2].n == 1
    yield _single(comparison) if single else _counted(comparison)
    if found is None:
        return
    step, change, difference = found
    where = f"at {mbps(step.offered_bps):g} Mb/s offered (step {step.step})"
    before, after = f"before ({comparison.before})", f"after ({comparison.after})"
    values = f"{share(change.before)} % delivered {before}, {share(change.after)} % {after}"
    if single:
        yield f"Largest change {where}: {values}; one trial each."
    else:
        yield f"Largest change {where}: {values}, {spread(difference, signed=True)} points, {change.verdict}."
        yield from _apart(change, difference)
    yield from _settled(step)
    yield from _harm(comparison, change)


def _single(comparison: Comparison) -> str:
    missing = sum(step.verdict == "not measured" for step in comparison.steps)
    hole = f" {missing} of {_steps(comparison)} not measured." if missing else ""
    head = f"{comparison.after} against {comparison.before}, over {_steps(comparison)}"
    return f"{head}: no verdict from one trial per arm.{hole}"


def _counted(comparison: Comparison) -> str:
    counts = Counter(step.verdict for step in comparison.steps)
    found = ", ".join(f"{word} in {counts[word]}" for word in _ORDER if counts[word])
    return f"{comparison.after} against {comparison.before}, over {_steps(comparison)}: {found}."


def _steps(comparison: Comparison) -> str:
    total = len(comparison.steps)
    return "1 step" if total == 1 else f"{total} steps"


def _largest(comparison: Comparison) -> tuple[StepComparison, Change, Measured] | None:
    """The step whose delivered share changed most, decided or not."""
    found = [
        (step, change, change.difference)
        for step in comparison.steps
        if (change := step.change("delivered_ratio")) and change.difference
    ]
    return max(found, key=lambda entry: abs(entry[2].median), default=None)


def _apart(change: Change, difference: Measured) -> Iterator[str]:
    """What a verdict from a range rests on, in words for those who do not read intervals."""
    if change.verdict in ("better", "worse") and difference.interval == "range":
        assert change.before and change.after  # a decided change has both
        side = "above" if difference.median > 0 else "below"
        counts = f"{change.after.n} and {change.before.n}"
        yield f"Every trial after was {side} every trial before ({counts} trials)."


def _settled(step: StepComparison) -> Iterator[str]:
    settled, whole = step.change("settled_delivered_ratio"), step.change("delivered_ratio")
    if settled and whole and settled.after and share(settled.after) != share(whole.after):
        yield f"After the step's last move it was {share(settled.after)} %."


def _harm(comparison: Comparison, named: Change) -> Iterator[str]:
    """What became worse elsewhere: a gain must not hide it."""
    harm = [
        (abs(change.difference.median), step, change)
        for step in comparison.steps
        for change in step.changes
        if change.quantity in JUDGED and change.verdict == "worse" and change != named and change.difference
    ]
    if harm:
        _, step, change = max(harm, key=lambda entry: entry[0])
        yield (
            f"Worse at {mbps(step.offered_bps):g} Mb/s offered (step {step.step}): "
            f"{quantity_name(change)}, {share(change.before)} before, {share(change.after)} after."
        )
