"""Which VMs a model learns from, and which it has never seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from testbedctl.errors import UsageError
from testbedctl.units import count

if TYPE_CHECKING:
    from testbedctl.forecast.series import Dataset


def choose(dataset: Dataset, number: int, seed: int, exclude: Collection[str] = ()) -> tuple[str, ...]:
    """The first ``number`` VMs of a permutation of all names, drawn from ``seed``, without ``exclude``.

    So the same seed with the first choice excluded gives VMs that the first choice has not: 120 to learn from
    and 40 unseen ones are ``choose(d, 120, s)`` and ``choose(d, 40, s, exclude=the 120)``. Raises
    ``UsageError`` if there are not so many.
    """
    import numpy as np

    names = sorted(series.vm for series in dataset.series)
    order = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    left = [name for name in order if name not in set(exclude)]
    if not 1 <= number <= len(left):
        raise UsageError(
            f"{count(number, 'VM')} asked for; the data set {dataset.name} has {len(left)} to choose from",
            hint="ask for at least one VM and for no more than there are",
        )
    return tuple(left[:number])


def named(dataset: Dataset, names: Collection[str]) -> tuple[str, ...]:
    """These VMs, sorted, each once. Raises ``UsageError`` for a name that the data set does not have."""
    known = {series.vm for series in dataset.series}
    if missing := sorted(set(names) - known):
        some = ", ".join(sorted(known)[:5])
        raise UsageError(
            f"the data set {dataset.name} has no VM {missing[0]!r}",
            hint=f"its {count(len(known), 'VM')} are {some}{', …' if len(known) > 5 else ''}",
        )
    if not names:
        raise UsageError("no VM is named", hint="name at least one VM, or leave the choice out for all")
    return tuple(sorted(set(names)))
