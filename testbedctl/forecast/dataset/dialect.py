"""The dialects of the Grid Workloads Archive's CSV: found by reading a file's head, never by its name."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbedctl.errors import Place
from testbedctl.forecast.dataset.features import NEEDED, TRACE_COLUMNS
from testbedctl.forecast.dataset.stamps import Clock, clock_of, parse_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD_LINES = 30
"""So many rows tell the clock, and together with those of the other files the step."""

STAMP = "timestamp"
DELIMITERS = {";": "semicolons", ",": "commas"}

_MEANINGS = {
    STAMP: r"time ?stamp\b.*",
    "cpu_cores": r"cpu cores?",
    "cpu_capacity_mhz": r"cpu capacity.* mhz",
    "cpu_usage_mhz": r"cpu usage mhz",
    "cpu_usage_percent": r"cpu usage %",
    "memory_capacity_kb": r"memory capacity.* kb",
    "memory_usage_kb": r"memory usage kb",
    "memory_usage_percent": r"memory usage %",
    "disk_read_kbps": r"disk read.* kb/s",
    "disk_write_kbps": r"disk writ.* kb/s",
    "disk_size_gb": r"disk size gb",
    "network_receive_kbps": r"network receiv.* kb/s",
    "network_transmit_kbps": r"network transmit.* kb/s",
}
"""Canonical names by what a header says, without its brackets, in lower case."""

REQUIRED = (STAMP, *NEEDED["trace"])
KNOWN = "timestamp, " + ", ".join(name.replace("_", " ") for name in TRACE_COLUMNS)


@dataclass(frozen=True)
class Dialect:
    """How a file is written. ``columns``: a canonical name for each field, None for one that nobody knows."""

    delimiter: str
    columns: tuple[str | None, ...]
    clock: Clock

    @property
    def format(self) -> str:
        """Which of the archive's formats has these columns: only GWA-T-13 tells the size of the disk."""
        return "gwa-t-13" if {"memory_usage_percent", "disk_size_gb"} & set(self.columns) else "gwa-t-12"

    @property
    def numbers(self) -> tuple[str, ...]:
        """The known columns but the time, in the order of the file."""
        return tuple(name for name in self.columns if name and name != STAMP)


@dataclass(frozen=True)
class Head:
    """What the first lines of a file tell: its dialect, the times (s) in them, names of unknown columns."""

    dialect: Dialect
    unix_s: NDArray[np.float64]
    unknown: tuple[str, ...]


def read_head(text: str, file: str) -> Head | Place:
    """The head in the first whole lines of ``file``; the place of the error if it is in no known dialect."""
    first, *lines = text.removeprefix("\ufeff").splitlines() or [""]
    delimiter = max(DELIMITERS, key=lambda each: len(set(_columns(_fields(first, each))) - {None}))
    names = _fields(first, delimiter)
    columns = _columns(names)
    if told := _wrong(columns, first):
        return Place(file, 1, 1, told)
    rows = [_fields(line, delimiter) for line in lines[:HEAD_LINES] if line.strip()]
    stamps = [row[columns.index(STAMP)] for row in rows if len(row) == len(columns)]
    clock = clock_of(stamps)
    if clock is None and rows:
        found = f"the times in it, such as {stamps[0]!r}," if stamps else "the rows below the header"
        return Place(file, 2, 1, f"{found} are in no known form ({len(columns)} fields, {_DESCRIBED})")
    unix_s = [parse_stamp(stamp, clock) for stamp in stamps] if clock else []
    unknown = tuple(name for name, column in zip(names, columns, strict=True) if column is None)
    dialect = Dialect(delimiter, tuple(columns), clock or "seconds")
    return Head(dialect, np.array([s for s in unix_s if s is not None]), unknown)


_DESCRIBED = "Unix seconds or milliseconds, or DD.MM.YYYY HH:MM:SS"


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # a field of megabytes: no header
        return []


def _columns(names: Sequence[str]) -> list[str | None]:
    return [_meaning(name) for name in names]


def _meaning(name: str) -> str | None:
    plain = " ".join(re.sub(r"[\[\](){}_]", " ", name.lower()).split())
    return next((column for column, known in _MEANINGS.items() if re.fullmatch(known, plain)), None)


def _wrong(columns: Sequence[str | None], header: str) -> str | None:
    """What keeps a header from being used."""
    shown = header if len(header) <= 160 else header[:160] + "…"
    known = [column for column in columns if column]
    if missing := [name.replace("_", " ") for name in REQUIRED if name not in known]:
        return (
            f"no known header: {', '.join(missing)} not found in {shown!r}; "
            f"known are columns separated by {' or '.join(DELIMITERS.values())}: {KNOWN}"
        )
    if twice := sorted({name for name in known if known.count(name) > 1}):
        return f"two columns mean {', '.join(twice)}: {shown!r}"
    return None
