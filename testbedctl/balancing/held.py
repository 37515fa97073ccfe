"""Memory of a policy: how long a condition has held, and what has been said already."""

from __future__ import annotations

from collections.abc import Collection


class Held:
    """For how long conditions have held without a break, by key."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def seconds(self, key: str, holds: bool, at_s: float) -> float:
        """Seconds since the condition of ``key`` began to hold, 0 if it has just begun, −1 if it does not."""
        if not holds:
            self._since.pop(key, None)
            return -1.0
        return at_s - self._since.setdefault(key, at_s)

    def keep(self, keys: Collection[str]) -> None:
        """Forget every key but these."""
        self._since = {key: since for key, since in self._since.items() if key in keys}

    def clear(self) -> None:
        """Forget all: the data had a gap, and nothing is known to have held across it."""
        self._since.clear()


class Said:
    """Which situations were reported of a VNF, so that each is reported once and not every second."""

    def __init__(self) -> None:
        self._situations: dict[str, set[str]] = {}

    def news(self, vnf: str, situation: str) -> bool:
        """Whether ``situation`` has not been said of ``vnf`` yet; remembers it."""
        said = self._situations.setdefault(vnf, set())
        if situation in said:
            return False
        said.add(situation)
        return True

    def forget(self, vnf: str) -> None:
        """All is well with ``vnf`` again, or something was done: what happens next is news."""
        self._situations.pop(vnf, None)
