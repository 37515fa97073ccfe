"""The moves that a policy has just asked for: until they show in the samples, they must be counted in."""

from __future__ import annotations

from dataclasses import dataclass

from testbedctl.ports import ShareInForce


@dataclass(frozen=True)
class _Move:
    source: str
    target: str
    cores: float
    at_s: float


class Moves:
    """Recent moves, and the VNFs that are still settling from them.

    The sample after a move is a mixture of before and after, so nothing is decided about its two VNFs for
    ``settle_s``, and the room that it takes is reserved for as long.
    """

    def __init__(self, settle_s: float):
        self._settle_s = settle_s
        self._recent: list[_Move] = []
        self._settling: set[str] = set()

    def update(self, shares: tuple[ShareInForce, ...], at_s: float) -> None:
        """Look at the time of a new sample and at the shares in force."""
        self._recent = [move for move in self._recent if at_s - move.at_s <= self._settle_s]
        fresh = [share for share in shares if at_s - share.since_s <= self._settle_s]
        pairs = [(move.source, move.target) for move in self._recent]
        pairs += [(share.source, share.target) for share in fresh]
        self._settling = {key for pair in pairs for key in pair}

    def record(self, source: str, target: str, cores: float, at_s: float) -> None:
        """A move of ``cores`` from ``source`` to ``target`` was decided (0 for a release)."""
        self._recent.append(_Move(source, target, cores, at_s))
        self._settling |= {source, target}

    def settling(self, vnf: str) -> bool:
        """Whether the samples of ``vnf`` still mix before and after."""
        return vnf in self._settling

    def reserved(self, target: str) -> float:
        """Cores of ``target`` that recent moves take."""
        return sum(move.cores for move in self._recent if move.target == target)

    def sources(self) -> set[str]:
        """VNFs that recent moves relieve."""
        return {move.source for move in self._recent if move.cores}

    def targets(self) -> set[str]:
        """VNFs that recent moves load."""
        return {move.target for move in self._recent if move.cores}

    def clear(self) -> None:
        """Forget all: the clock was set back."""
        self._recent.clear()
        self._settling.clear()
