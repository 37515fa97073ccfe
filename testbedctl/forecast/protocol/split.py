"""The chronological split: the past to learn from, the future to be judged on (§7)."""

from __future__ import annotations

from testbedctl.errors import UsageError
from testbedctl.forecast.series import Series


def split(series: Series, train_share: float) -> tuple[Series, Series]:
    """The first ``train_share`` of the rows of one VM, and the rest.

    By the number of rows, rounded down, so that nothing that is later than the border decides anything before
    it (§7: "the earliest 80 % of observations"). Either part may be empty. Raises ``UsageError`` for a share
    that is not between 0 and 1.
    """
    if not 0 < train_share < 1:
        raise UsageError(
            f"a training share of {train_share}", hint="the share of each VM's rows is above 0 and below 1"
        )
    # the margin is for products like 0.57 × 100, which is 56.99999999999999
    border = int(len(series.unix_s) * train_share + 1e-9)
    return _rows(series, 0, border), _rows(series, border, len(series.unix_s))


def with_history(before: Series, part: Series, steps: int) -> Series:
    """``part`` with the last ``steps`` rows of ``before`` in front.

    Windows of ``steps`` steps over the result have all their *targets* in ``part``: the first target is its
    first row. That is no leak: what a forecast sees is its past, also when that past was learned from.
    """
    import numpy as np

    tail = _rows(before, max(0, len(before.unix_s) - steps), len(before.unix_s))
    return Series(
        part.vm,
        np.concatenate([tail.unix_s, part.unix_s]),
        np.concatenate([tail.values, part.values]),
    )


def _rows(series: Series, start: int, stop: int) -> Series:
    return Series(series.vm, series.unix_s[start:stop], series.values[start:stop])
