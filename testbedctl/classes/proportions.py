"""New data keep the proportions of the three types (§5.1 of the predictive-slicing paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from testbedctl.spec.assignment import CLASSES
from testbedctl.spec.classes import Proportions
from testbedctl.spec.testbed import VnfClass

Named = Mapping[VnfClass, Sequence[str]]
"""Names of VMs or VNFs by their type."""


def proportions_of(by_class: Named) -> Proportions:
    """The part of all names that each type has; ``by_class`` has at least one name."""
    everything = sum(len(by_class.get(each, ())) for each in CLASSES)
    return Proportions(**{each: len(by_class.get(each, ())) / everything for each in CLASSES})


def keep_proportions(by_class: Named, proportions: Proportions, seed: int) -> dict[VnfClass, list[str]]:
    """The largest choice of names whose types have the given proportions, to the nearest whole name.

    Which names of a type stay is drawn from ``seed``; their order is kept. A type that is wanted and has no
    name at all cannot be kept: the others then keep their proportions among themselves.
    """
    import random

    wanted = {each: getattr(proportions, each) for each in CLASSES if by_class.get(each)}
    sizes = _largest({each: len(by_class[each]) for each in wanted}, wanted)
    chance = random.Random(seed)
    kept: dict[VnfClass, list[str]] = {each: [] for each in CLASSES}
    for each in wanted:
        names = by_class[each]
        chosen = sorted(chance.sample(range(len(names)), sizes[each]))
        kept[each] = [names[index] for index in chosen]
    return kept


def _largest(there: Mapping[VnfClass, int], parts: Mapping[VnfClass, float]) -> dict[VnfClass, int]:
    """How many of each type the largest choice has that fits into what is ``there``."""
    whole = sum(parts.values())
    if not whole:
        return dict.fromkeys(there, 0)
    least_short = min((there[each] + 1) * whole / part for each, part in parts.items() if part)
    total = min(sum(there.values()), int(least_short))
    for size in count(total, -1):
        sizes = _apportioned(size, {each: part / whole for each, part in parts.items()})
        if all(sizes[each] <= there[each] for each in there):
            return sizes
    raise AssertionError("a choice of none fits always")


def _apportioned(size: int, parts: Mapping[VnfClass, float]) -> dict[VnfClass, int]:
    """``size`` in whole numbers by ``parts``, which sum to 1; the largest remainders go up (Hamilton)."""
    sizes = {each: int(size * part + 1e-9) for each, part in parts.items()}
    by_remainder = sorted(parts, key=lambda each: sizes[each] - size * parts[each])
    for each in by_remainder[: size - sum(sizes.values())]:
        sizes[each] += 1
    return sizes
