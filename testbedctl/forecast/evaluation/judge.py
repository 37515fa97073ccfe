"""Judges forecasts: every contender on exactly the same steps, in the same space.

The judged space of a public trace is that of the predictive-slicing paper (§7): each VM scaled to [0, 1] by
the first part of its own rows, clipped. Ratios of an allotment are judged as they are: they have a scale, the
one that thresholds are in. The judged steps are the last part of each VM. What a forecast sees may reach back
into the first part, as it would when the optimizer runs; what it is judged on may not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbedctl.errors import Inconclusive
from testbedctl.forecast.evaluation.contender import Contender, scaled
from testbedctl.forecast.evaluation.score import Score
from testbedctl.forecast.protocol.scaling import Scaler
from testbedctl.forecast.protocol.split import split, with_history
from testbedctl.forecast.protocol.windows import windows
from testbedctl.forecast.series import Dataset, Series, Units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """One VM's judged part: windows before and steps after each point in time at which a forecast is made.

    ``past`` float32[n, window, 4] and ``future`` float32[n, horizon, 4], scaled and in the data set's own
    ``units``.
    """

    vm: str
    units: Units
    scaler: Scaler
    past: Floats
    future: Floats
    own_past: Floats
    own_future: Floats

    @property
    def truth(self) -> Floats:
        """float32[n, horizon, 4] in the judged space."""
        return self.future if self.units == "trace" else self.own_future


def judged_part(
    series: Series, dataset: Dataset, window: int, horizon: int, train_share: float
) -> Judged | str:
    """The judged part of a VM, or a sentence that says why it has none."""
    step_s = dataset.step_s
    before, after = split(series, train_share)
    if not len(before.unix_s):
        return f"has {len(series.unix_s)} rows"
    whole = with_history(before, after, window)
    own_past, own_future = windows(whole, window, horizon, step_s)
    if not len(own_past):
        return f"no {window + horizon} steps without a gap"
    scaler = Scaler.fit("per-vm", [before])
    past, future = windows(scaler.scale(whole), window, horizon, step_s)
    return Judged(series.vm, dataset.units, scaler, past, future, own_past, own_future)


def forecast(contender: Contender, part: Judged) -> Floats:
    """A contender's forecasts at all points in time, float32[n, horizon, 4, 1 + q], in its own space."""
    source = part.past if contender.space == "scaled" else part.own_past
    return contender.predict(np.ascontiguousarray(source[:, -contender.window :]))


def judge(
    contenders: Sequence[Contender],
    dataset: Dataset,
    vms: Sequence[str],
    *,
    train_share: float,
    observe: Callable[[int, int], None],
) -> tuple[list[Score], dict[str, str]]:
    """The score of each contender over these VMs, and the VMs that were left out with the reason.

    The longest window and the longest horizon decide which points in time are judged, so that all contenders
    have the same. ``observe`` is told VMs done and VMs in all. Raises ``Inconclusive`` if nothing is left.
    """
    window = max(each.window for each in contenders)
    horizon = max(each.horizon for each in contenders)
    scores = [Score(each) for each in contenders]
    left_out: dict[str, str] = {}
    wanted = set(vms)
    chosen = [series for series in dataset.series if series.vm in wanted]
    for done, series in enumerate(chosen):
        observe(done, len(chosen))
        part = judged_part(series, dataset, window, horizon, train_share)
        if isinstance(part, str):
            left_out[series.vm] = part
            continue
        for score in scores:
            _add(score, part)
    observe(len(chosen), len(chosen))
    if not scores[0].forecasts:
        raise Inconclusive(
            f"data set {dataset.name}: no VM has {window + horizon} steps without a gap in its last part",
            hint="choose other VMs, or models with a shorter window",
        )
    return scores, left_out


def to_judged(contender: Contender, part: Judged, values: Floats) -> Floats:
    """Point forecasts float32[n, horizon, 4] of a contender in the judged space, clipped for a trace."""
    if part.units == "allotment":
        return part.scaler.unscale(part.vm, values) if contender.space == "scaled" else values
    if contender.space == "scaled":
        return np.clip(values, 0, 1)
    return scaled(part.scaler, part.vm, values)


def _add(score: Score, part: Judged) -> None:
    contender = score.contender
    values = forecast(contender, part)
    ahead = contender.horizon
    score.add_points(part.vm, to_judged(contender, part, values[..., 0]), part.truth[:, :ahead])
    low, high = part.scaler.limits(part.vm)
    for number in range(len(contender.quantiles)):
        own = values[..., 1 + number]
        if contender.space == "scaled":
            own = part.scaler.unscale(part.vm, own)
        score.add_quantile(number, own, part.own_future[:, :ahead], high - low)
