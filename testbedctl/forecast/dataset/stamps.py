"""Times of rows: Unix seconds or milliseconds, or ``DD.MM.YYYY HH:MM:SS``, which is taken as UTC."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from testbedctl.forecast.dataset.arrays import numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Clock = Literal["seconds", "milliseconds", "text"]

CLOCKS: dict[Clock, str] = {
    "seconds": "Unix seconds, UTC",
    "milliseconds": "Unix milliseconds, UTC",
    "text": "DD.MM.YYYY HH:MM:SS, taken as UTC: the file names no time zone",
}

LATEST_S = 4_102_444_800.0
"""The year 2100: no time of a trace is later, and times in milliseconds are far above."""

_TEXT = r"^(\d\d)\.(\d\d)\.(\d{4}) (\d\d:\d\d:\d\d)$"


def clock_of(stamps: Sequence[str]) -> Clock | None:
    """The clock by which most of some stamps can be read; None if there is none.

    GWA-T-12 writes seconds under a header that says milliseconds, so the header is not asked.
    """
    best = max(CLOCKS, key=lambda clock: sum(parse_stamp(text, clock) is not None for text in stamps))
    return best if any(parse_stamp(text, best) is not None for text in stamps) else None


def parse_stamp(text: str, clock: Clock) -> float | None:
    """Unix seconds, or None for what is no time between 1970 and 2100."""
    try:
        if clock == "text":
            if not re.match(_TEXT, text):
                return None
            unix_s = datetime.strptime(text, "%d.%m.%Y %H:%M:%S").replace(tzinfo=UTC).timestamp()
        else:
            unix_s = float(text) / (1000 if clock == "milliseconds" else 1)
    except ValueError:
        return None
    least_s = 1e9 if clock == "milliseconds" else 0  # a small number of milliseconds is one of seconds
    return unix_s if math.isfinite(unix_s) and least_s < unix_s < LATEST_S else None


def parse_stamps(column: pa.ChunkedArray, clock: Clock) -> NDArray[np.float64]:
    """The same for a whole column: text of ``text``, numbers otherwise. Raises pyarrow.ArrowInvalid or
    ValueError if one of them cannot be read."""
    if clock == "text":
        iso = pc.replace_substring_regex(column, _TEXT, r"\3-\2-\1 \4")
        if pc.any(pc.equal(iso, column)).as_py():
            raise ValueError("a stamp is not DD.MM.YYYY HH:MM:SS")
        column = pc.cast(pc.cast(iso.cast(pa.timestamp("s")), pa.int64()), pa.float64())
    unix_s = numbers(column)
    if clock == "milliseconds":
        unix_s = unix_s / 1000
    least_s = 1e9 if clock == "milliseconds" else 0
    if not ((least_s < unix_s) & (unix_s < LATEST_S)).all():
        raise ValueError("a stamp is not between 1970 and 2100")
    return unix_s
