"""What is wrong with rows: counted by kind, the first of each kind named with file and line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from testbedctl.errors import Place

NAMED = 20
"""So many of each kind are named; all are counted."""

BROKEN = {
    "fields": "a wrong number of fields",
    "number": "not a number",
    "infinite": "NaN or infinite",
    "negative": "below zero",
    "stamp": "no time that can be read",
    "late": "earlier than the last row kept of the block before",
    "conflict": "another row of the same time; the first is kept",
    "step": "of a VM with another step, which is left out",
}
"""Rows that cannot be used. More than a set share of them is an error."""

LEFT_OUT = {
    "duplicate": "the same row again",
    "off-grid": "less than half a step after the row before",
    "not-measured": "without one of the four resources",
}
"""Sound rows that a series with one row per step has no place for."""

NOTED = {"out-of-order": "earlier than a row above; sorted by time"}
"""Rows that were kept, but not as they stood."""

KINDS = {**BROKEN, **LEFT_OUT, **NOTED}


class FaultLog:
    """Collects the faults of one import."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.places: defaultdict[str, list[Place]] = defaultdict(list)

    def note(self, kind: str, place: Place, rows: int = 1) -> None:
        """Count ``rows`` of ``kind`` (a key of ``KINDS``), and name the fault if it is one of the first."""
        self.counts[kind] += rows
        if len(self.places[kind]) < NAMED:
            self.places[kind].append(place)

    def note_lines(self, kind: str, file: str, lines: Sequence[int], say: Callable[[int], str]) -> None:
        """Count whole lines of ``file``; ``say`` tells of a line what is the matter with it."""
        if lines:
            named = lines[: NAMED - len(self.places[kind])]
            self.counts[kind] += len(lines)
            self.places[kind] += [Place(file, line, 1, say(line)) for line in named]

    def join(self, other: FaultLog) -> None:
        """Count what another log counted."""
        self.counts.update(other.counts)
        for kind, places in other.places.items():
            self.places[kind] += places[: NAMED - len(self.places[kind])]

    @property
    def broken(self) -> int:
        """How many rows cannot be used."""
        return sum(self.counts[kind] for kind in BROKEN)

    def broken_places(self) -> list[Place]:
        """Where the named ones of them are."""
        return [place for kind in BROKEN for place in self.places[kind]]
