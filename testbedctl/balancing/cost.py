"""What a bit costs: the CPU of a network function as a line over its traffic, learned while it runs."""

from __future__ import annotations

from collections import deque
from statistics import fmean, median

BUSY_RATIO = 0.15
IDLE_RATIO = 0.1
LIGHT = 0.1
"""Of two busy samples one that carries less than this part of the other's traffic counts as idle: what it
costs is the switch's waking up. On a slow machine a few Mb/s are enough for that."""
MEMORY = 30
ENOUGH = 6


class CostLine:
    """Cores = ``base`` + ``per_bps`` × rate, for all VNFs of one function.

    Learned from the latest samples, so that one bad scrape moves nothing: the base from the median of the
    idle ones, the slope as the mean of the middle three fifths of what the busy ones cost per bit above
    that. A saturated VNF still lies on the line: its CPU and what it got through are cut at the same point.
    """

    def __init__(self) -> None:
        self._idle: deque[tuple[float, float]] = deque(maxlen=MEMORY)
        self._busy: deque[tuple[float, float]] = deque(maxlen=MEMORY)

    def learn(self, usage: float, quota_cores: float, processed_bps: float) -> None:
        """Take in one sample: ``usage`` of ``quota_cores`` while ``processed_bps`` went through."""
        if usage >= BUSY_RATIO and processed_bps > 0:
            self._busy.append((processed_bps, usage * quota_cores))
        elif usage < IDLE_RATIO:
            self._idle.append((processed_bps, usage * quota_cores))

    @property
    def known(self) -> bool:
        """Whether enough busy samples were seen to size a share by."""
        return len(self._split()[1]) >= ENOUGH

    def line(self) -> tuple[float, float]:
        """``(base_cores, cores_per_bps)``; zeros while nothing busy was seen."""
        idle, busy = self._split()
        if not busy:
            return 0.0, 0.0
        idle_rate = median(rate for rate, _ in idle) if idle else 0.0
        idle_cores = median(cores for _, cores in idle) if idle else 0.0
        above = [(rate - idle_rate, cores - idle_cores) for rate, cores in busy if rate > idle_rate]
        slope = _middle([cores / rate for rate, cores in above]) if above else 0.0
        if slope <= 0:
            return 0.0, _middle([cores / rate for rate, cores in busy])
        return max(0.0, idle_cores - slope * idle_rate), slope

    def _split(self) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """The idle and the busy samples, as rates and cores."""
        light = LIGHT * max((rate for rate, _ in self._busy), default=0.0)
        waking = [sample for sample in self._busy if sample[0] < light]
        return [*self._idle, *waking], [sample for sample in self._busy if sample[0] >= light]


def _middle(values: list[float]) -> float:
    """The mean without the highest and the lowest fifth."""
    cut = len(values) // 5
    return fmean(sorted(values)[cut : len(values) - cut])
