"""Medians with their intervals, effects with their intervals, and the verdict that follows from one."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from testbedctl.errors import Inconclusive

Verdict = Literal["better", "worse", "no difference", "inconclusive", "not measured"]

TRIALS_FOR_BOOTSTRAP = 5
"""With fewer trials per arm no rank test can reach p < 0.05 two-sided at 3, or 0.01 at 4."""

NEGLIGIBLE_RATIO = 0.01
"""Effects inside ±1 percentage point of the offered or sent rate count as no difference."""

CHANCE_OF_MISS = 0.05
"""How often an interval may miss, alone or, for a family of them, any of them."""

Interval = Literal["range", "bca95", "bca95-family"]

_RESAMPLES = 4999
_RESAMPLES_OF_FAMILY = 19_999
_SEED = 20260223


@dataclass(frozen=True)
class Measured:
    """A measured value: median over ``n`` trials, and the interval from ``low`` to ``high``.

    ``interval`` says which: ``range`` of the trials (of all pairwise differences for an effect), or
    ``bca95``, the bias-corrected and accelerated bootstrap interval at 95 % (Efron 1987), or
    ``bca95-family``, the same so much wider that a whole family of them holds at 95 % (Bonferroni).
    """

    median: float
    low: float
    high: float
    n: int
    interval: Interval


def measured(values: Sequence[float]) -> Measured:
    """Median and interval of one value per trial. Raises Inconclusive when there is none."""
    if not values:
        raise Inconclusive("a median needs at least one trial")
    if len(values) >= TRIALS_FOR_BOOTSTRAP and (interval := _bca95((values,), _median)):
        return _rounded(statistics.median(values), *interval, len(values), "bca95")
    return _rounded(statistics.median(values), min(values), max(values), len(values), "range")


def effect(before: Sequence[float], after: Sequence[float], family: int = 1) -> Measured:
    """Difference of the medians, after − before; ``n`` is the smaller number of trials.

    ``family`` is how many differences share the 5 % by which one of their intervals may miss.
    Raises Inconclusive when one side has no trial.
    """
    if not before or not after:
        raise Inconclusive("an effect needs at least one trial before and one after")
    difference = statistics.median(after) - statistics.median(before)
    n = min(len(before), len(after))
    if n >= TRIALS_FOR_BOOTSTRAP and (interval := _bca95((before, after), _median_difference, family)):
        return _rounded(difference, *interval, n, "bca95" if family == 1 else "bca95-family")
    pairs = [b - a for a, b in product(before, after)]
    return _rounded(difference, min(pairs), max(pairs), n, "range")


def verdict(
    difference: Measured | None, judged: Measured | None = None, *, higher_is_better: bool
) -> Verdict:
    """What an effect on a ratio says: its whole interval inside ``NEGLIGIBLE_RATIO`` is no difference,
    an interval that contains 0 otherwise is inconclusive, and so is a single trial.

    ``judged`` is the same difference with the interval that may call it better or worse, if that is another
    one. Only such a call can be a false alarm; to find all of many without difference needs no wider one.
    """
    if difference is None:
        return "not measured"
    if difference.n < 2:
        return "inconclusive"
    if difference.low >= -NEGLIGIBLE_RATIO and difference.high <= NEGLIGIBLE_RATIO:
        return "no difference"
    deciding = judged or difference
    if deciding.low <= 0 <= deciding.high:
        return "inconclusive"
    return "better" if (deciding.low > 0) == higher_is_better else "worse"


def _bca95(samples: Sequence[Sequence[float]], statistic: Any, family: int = 1) -> tuple[float, float] | None:
    """Ends of the interval; None where the bootstrap is not defined (such as ties in nearly all trials)."""
    import numpy as np
    from scipy.stats import bootstrap

    if all(min(sample) == max(sample) for sample in samples):
        value = float(statistic(*(np.asarray(sample) for sample in samples)))
        return value, value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the undefined case warns, and is handled below
        result = bootstrap(
            tuple(samples),
            statistic,
            n_resamples=_RESAMPLES if family == 1 else _RESAMPLES_OF_FAMILY,
            confidence_level=1 - CHANCE_OF_MISS / family,
            vectorized=True,
            method="BCa",
            rng=np.random.default_rng(_SEED),
        )
    low, high = map(float, result.confidence_interval)
    return (low, high) if np.isfinite([low, high]).all() else None


def _median(values: Any, axis: int = -1) -> Any:
    import numpy as np

    return np.median(values, axis=axis)


def _median_difference(before: Any, after: Any, axis: int = -1) -> Any:
    return _median(after, axis) - _median(before, axis)


def _rounded(median: float, low: float, high: float, n: int, interval: Interval) -> Measured:
    """Nine significant digits, so that the last bit of another CPU's arithmetic changes no report."""
    median, low, high = (float(f"{value:.9g}") for value in (median, low, high))
    return Measured(median, low, high, n, interval)
