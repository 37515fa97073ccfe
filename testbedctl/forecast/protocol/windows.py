"""Windows: some steps of the past and the steps to be forecast, never across a gap (§7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbedctl.errors import UsageError
from testbedctl.forecast.series import Series
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Indices = NDArray[np.int64]

GAP_STEPS = 1.5
"""Rows further apart than this many steps have a gap between them."""


class WindowIndex:
    """All windows of some series, without a copy of any: rows are gathered when a batch is asked for.

    ``vms[i]`` is the VM of the series in place ``i``, ``series_of[n]`` the place of window ``n``'s series.
    """

    def __init__(self, series: Sequence[Series], window: int, horizon: int, step_s: float):
        """``window`` and ``horizon`` in steps of ``step_s`` seconds; ``UsageError`` if one is below 1."""
        if window < 1 or horizon < 1:
            raise UsageError(
                f"a window of {window} and a horizon of {horizon} steps", hint="each is at least one step"
            )
        self.window, self.horizon = window, horizon
        self.vms = tuple(each.vm for each in series)
        none = np.zeros((0, len(RESOURCES)), np.float32)
        self._rows: Floats = np.concatenate([none, *(each.values for each in series)]).astype(
            np.float32, copy=False
        )
        starts = [_starts(each.unix_s, window + horizon, step_s) for each in series]
        ends = np.cumsum([0, *(len(each.values) for each in series)])
        self._starts: Indices = np.concatenate(
            [np.zeros(0, np.int64), *(own + end for own, end in zip(starts, ends, strict=False))]
        )
        self.series_of: Indices = np.repeat(np.arange(len(starts)), [len(own) for own in starts])

    def __len__(self) -> int:
        """The number of windows."""
        return len(self._starts)

    def vms_with_windows(self) -> frozenset[str]:
        """The VMs that have a window at all; the others are too short or too full of gaps."""
        return frozenset(self.vms[place] for place in np.unique(self.series_of))

    def batch(self, numbers: Indices | slice = slice(None)) -> tuple[Floats, Floats]:
        """The windows of these numbers, all by default: X float32[n, window, 4], Y float32[n, horizon, 4]."""
        whole = self._rows[self._starts[numbers, np.newaxis] + np.arange(self.window + self.horizon)]
        return whole[:, : self.window], whole[:, self.window :]


def windows(series: Series, window: int, horizon: int, step_s: float) -> tuple[Floats, Floats]:
    """All windows of one series in the order of time: X float32[n, window, 4], Y float32[n, horizon, 4].

    ``window`` and ``horizon`` in steps of ``step_s`` seconds; none reaches across a gap, that is, across rows
    further apart than ``GAP_STEPS``. A series that is too short has no windows.
    """
    return WindowIndex([series], window, horizon, step_s).batch()


def _starts(unix_s: NDArray[np.float64], length: int, step_s: float) -> Indices:
    """First rows of all runs of ``length`` rows without a gap."""
    if len(unix_s) < length:
        return np.zeros(0, np.int64)
    gaps = np.concatenate([[0], np.cumsum(np.diff(unix_s) > GAP_STEPS * step_s)])
    return np.flatnonzero(gaps[length - 1 :] == gaps[: len(gaps) - length + 1])
