"""A benchmark's result: what was asked, what was reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """One figure. ``reached`` is None where it could not be measured, and ``note`` says why."""

    what: str
    asked: str
    reached: str
    met: bool | None
    note: str = ""


def spread(values: Sequence[float], unit: str, digits: int = 2) -> str:
    """Median and range of several runs: ``2.51 s (2.44–2.63, n=5)``."""
    low, middle, high = (f"{v:.{digits}f}" for v in (min(values), median(values), max(values)))
    return f"{middle} {unit} ({low}–{high}, n={len(values)})"


def render(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    words = {True: "yes", False: "**no**", None: "–"}
    lines = ["| what | asked | reached | met |", "|---|---|---|---|"]
    for row in rows:
        note = f" — {row.note}" if row.note else ""
        lines.append(f"| {row.what}{note} | {row.asked} | {row.reached} | {words[row.met]} |")
    return "\n".join(lines)
