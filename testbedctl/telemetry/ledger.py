"""A total that only grows, over counters that come, go and start again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Ledger(Generic[Key]):
    """Adds up the increases of many counters.

    A process that ends takes its counter with it, and so does a flow rule that is deleted; their sum would
    fall, and a falling counter reads as a restart. What such a counter gained after its last reading is not
    known and not counted.
    """

    def __init__(self) -> None:
        self._last: dict[Key, int] = {}
        self._total = 0

    def update(self, readings: Mapping[Key, int]) -> int:
        """Take the present value of every counter and return the total so far."""
        for key, value in readings.items():
            before = self._last.get(key, 0)
            self._total += value - before if value >= before else value
        self._last = dict(readings)
        return self._total
