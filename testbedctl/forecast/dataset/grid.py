"""The time grid of a data set: one step for all VMs, at most one row per step, gaps counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from testbedctl.errors import InvalidFile, Place
from testbedctl.forecast.dataset.faults import NAMED, FaultLog

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP_STEPS = 1.5
"""Two rows further apart than so many steps have a gap between them."""

SHORT = 10
"""A VM of fewer rows is kept, but named: it is too short to judge its step, or to learn from."""

STEP_TOLERANCE = 0.1
"""How far a VM's median step may be from that of all."""


@dataclass(frozen=True)
class Rows:
    """Rows of one VM: ``unix_s`` float64[n], ``values`` float64[column, n], ``lines`` int64[n]."""

    unix_s: NDArray[np.float64]
    values: NDArray[np.float64]
    lines: NDArray[np.int64]

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Rows:
        """The rows at some places, or where a mask is true."""
        return Rows(self.unix_s[which], self.values[:, which], self.lines[which])


def median_step(stamps: Sequence[NDArray[np.float64]], source: str) -> float:
    """The median difference (s, to the millisecond) between a VM's successive times, over all VMs.

    Raises InvalidFile if no VM has two rows, or they are less than a millisecond apart.
    """
    apart = [np.diff(np.unique(each)) for each in stamps]
    joined = np.concatenate(apart) if apart else np.empty(0)
    if not len(joined):
        raise InvalidFile(f"{source}: no VM has two rows, so there is no step")
    step_s = round(float(np.median(joined)), 3)
    if not step_s:
        raise InvalidFile(f"{source}: rows are less than a millisecond apart, and no step is so short")
    return step_s


def is_other(own_s: float | None, step_s: float) -> bool:
    """Whether a VM's own step, if it is known, is another than ``step_s``."""
    return own_s is not None and abs(own_s - step_s) > STEP_TOLERANCE * step_s


def check_steps(own_steps: Mapping[str, float | None], step_s: float) -> None:
    """Raises InvalidFile naming each VM, or its file, whose own step is another than ``step_s``."""
    other = {name: own for name, own in own_steps.items() if is_other(own, step_s)}
    if other:
        raise InvalidFile(
            f"{len(other)} of {len(own_steps)} VMs have another step than {step_s:g} s",
            places=[Place(name, 1, 1, f"a row every {own:g} s") for name, own in list(other.items())[:NAMED]],
            hint="make a data set of each step: a model has one",
        )


class VmGrid:
    """Puts the rows of one VM in order, part after part, and keeps what has a place on the grid.

    Rows are sorted within a part. Of two rows of one time the first in the file is kept; a row less than half
    a step after the last kept one is left out; each is noted in ``log``.
    """

    def __init__(self, file: str, step_s: float, log: FaultLog):
        self.rows = 0
        self._file, self._step_s, self._log = file, step_s, log
        self._last: Rows | None = None
        self._steps_s: list[float] = []

    def place(self, rows: Rows) -> tuple[Rows, int]:
        """The rows of the next part that are kept, and the gaps in and before them."""
        if self._last is not None:
            rows = self._without_late(rows, float(self._last.unix_s[0]))
        if not len(rows.unix_s):
            return rows, 0
        rows = self._sorted(rows)
        if self._last is not None:
            rows = _joined(self._last, rows)
        rows = self._without_off_grid(self._without_repeated(rows))
        apart = np.diff(rows.unix_s)
        if len(apart):
            self._steps_s.append(float(np.median(apart)))
        new = rows if self._last is None else rows.take(np.arange(1, len(rows.unix_s)))
        self._last = rows.take(np.array([-1]))
        self.rows += len(new.unix_s)
        return new, int((apart > GAP_STEPS * self._step_s).sum())

    @property
    def own_step_s(self) -> float | None:
        """The median step between kept rows, of several parts the median of theirs; None for a short VM."""
        return float(np.median(self._steps_s)) if self.rows >= SHORT else None

    def _sorted(self, rows: Rows) -> Rows:
        """In order of time; of equal times the first in the file comes first."""
        behind = rows.unix_s < np.maximum.accumulate(rows.unix_s)
        if not behind.any():
            return rows
        self._note("out-of-order", rows.lines[behind], lambda _: "earlier than a row above it")
        return rows.take(np.argsort(rows.unix_s, kind="stable"))

    def _without_late(self, rows: Rows, last_s: float) -> Rows:
        late = rows.unix_s < last_s
        if not late.any():
            return rows
        self._note(
            "late",
            rows.lines[late],
            lambda _: "earlier than the last row kept of the block before: sort by time",
        )
        return rows.take(~late)

    def _without_repeated(self, rows: Rows) -> Rows:
        again = np.diff(rows.unix_s, prepend=-np.inf) == 0
        if not again.any():
            return rows
        first = np.maximum.accumulate(np.where(again, 0, np.arange(len(again))))
        differs = again & (rows.values != rows.values[:, first]).any(axis=0)
        above = dict(zip(rows.lines[again].tolist(), rows.lines[first[again]].tolist(), strict=True))
        for kind, found, said in (
            ("duplicate", again & ~differs, "the same row as line"),
            ("conflict", differs, "with other values, the time of line"),
        ):
            self._note(kind, rows.lines[found], partial(_beside, said, above))
        return rows.take(~again)

    def _without_off_grid(self, rows: Rows) -> Rows:
        half = self._step_s / 2
        if (np.diff(rows.unix_s) >= half).all():
            return rows
        kept, last = np.zeros(len(rows.unix_s), bool), -np.inf
        for index, unix_s in enumerate(rows.unix_s.tolist()):
            if unix_s - last >= half:
                kept[index], last = True, unix_s
        self._note("off-grid", rows.lines[~kept], lambda _: f"less than {half:g} s after the row before")
        return rows.take(kept)

    def _note(self, kind: str, lines: NDArray[np.int64], say: Callable[[int], str]) -> None:
        self._log.note_lines(kind, self._file, lines.tolist(), say)


def _beside(said: str, above: Mapping[int, int], line: int) -> str:
    return f"{said} {above[line]}"


def _joined(first: Rows, second: Rows) -> Rows:
    return Rows(
        np.concatenate([first.unix_s, second.unix_s]),
        np.concatenate([first.values, second.values], axis=1),
        np.concatenate([first.lines, second.lines]),
    )
