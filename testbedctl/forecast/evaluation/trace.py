"""Forecasts against the truth of one VM, for a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbedctl.errors import Inconclusive
from testbedctl.forecast.evaluation.contender import Contender
from testbedctl.forecast.evaluation.judge import forecast, judged_part, to_judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbedctl.forecast.series import Dataset, Units

    Floats = NDArray[np.float32]

SHOWN_STEPS = 144
"""Half a day of the public traces: more lines than that cannot be told apart on a page."""


@dataclass(frozen=True)
class Trace:
    """Truth and one-step forecasts of a VM in the judged space: float32[n, 4] each, and ``names`` in order.

    ``first`` is the number of the first shown step within the judged part.
    """

    vm: str
    units: Units
    step_s: float
    first: int
    truth: Floats
    forecasts: Mapping[str, Floats]


def trace(contenders: Sequence[Contender], dataset: Dataset, vm: str, train_share: float) -> Trace:
    """The stretch of ``SHOWN_STEPS`` judged steps in which the VM changes most.

    Raises ``Inconclusive`` if the VM has no judged part.
    """
    window = max(each.window for each in contenders)
    series = next(each for each in dataset.series if each.vm == vm)
    horizon = max(each.horizon for each in contenders)
    part = judged_part(series, dataset, window, horizon, train_share)
    if isinstance(part, str):
        raise Inconclusive(f"VM {vm} cannot be drawn: {part}", hint="name another with --vm")
    truth = part.truth[:, 0]
    first = _liveliest(truth)
    shown = slice(first, first + SHOWN_STEPS)
    forecasts = {
        each.name: to_judged(each, part, forecast(each, part)[..., 0])[shown, 0] for each in contenders
    }
    return Trace(vm, dataset.units, dataset.step_s, first, truth[shown], forecasts)


def _liveliest(truth: Floats) -> int:
    """First step of the stretch with the greatest sum of changes over all resources."""
    changes = np.abs(np.diff(truth, axis=0)).sum(axis=1)
    sums = np.concatenate([[0], np.cumsum(changes, dtype=np.float64)])
    length = min(SHOWN_STEPS - 1, len(changes))
    return int(np.argmax(sums[length:] - sums[: len(sums) - length]))
