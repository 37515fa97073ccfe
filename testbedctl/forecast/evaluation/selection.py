"""Which VMs of a data set are judged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from testbedctl.errors import UsageError
from testbedctl.forecast.training.sample import choose, named

if TYPE_CHECKING:
    from testbedctl.forecast.evaluation.contender import Contender
    from testbedctl.forecast.series import Dataset

SEED = 0
"""Of the permutation from which a number of VMs is taken: the same VMs for everybody."""


def select(dataset: Dataset, wanted: str | None, exclude: frozenset[str]) -> tuple[str, ...]:
    """All VMs, so many of them ("40"), or those in a list ("a,b"; one alone that is a number: "7,").

    Without ``exclude``. Raises ``UsageError`` for names and numbers that the data set does not have.
    """
    if wanted is None:
        chosen = tuple(each.vm for each in dataset.series)
    elif wanted.isdigit():
        return choose(dataset, int(wanted), SEED, exclude)
    else:
        chosen = named(dataset, [name for name in wanted.split(",") if name])
    left = tuple(vm for vm in chosen if vm not in exclude)
    if not left:
        raise UsageError(
            f"data set {dataset.name}: a model has been trained on each of these VMs",
            hint="train with fewer (`forecast train --vms N`), or judge on another data set",
        )
    return left


def trained_vms(models: Iterable[Contender]) -> frozenset[str]:
    """VMs of the data set that a model has learned from. Raises ``UsageError`` if one does not know: its
    training began with a model whose own beginning was not kept."""
    seen: frozenset[str] = frozenset()
    for model in models:
        if model.trained_on is None:
            raise UsageError(
                f"{model.name} does not say which VMs of this data set it was trained on",
                hint="it began with weights of unknown origin: train it anew, or name the VMs with --vms",
            )
        seen |= model.trained_on
    return seen
