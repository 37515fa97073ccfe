"""The rates of the cameras, smoothed: what a policy counts with when it sizes a move."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from statistics import median_high

from testbedctl.ports import Flow

MEMORY = 5


class CameraRates:
    """The median of each camera's last five measured rates.

    The switch updates its flow counters a little late, so that single one-second rates scatter. The upper
    median lets a camera that has just started count whole at its second sample.
    """

    def __init__(self) -> None:
        self._latest: dict[str, deque[float]] = {}

    def learn(self, flows: Iterable[Flow]) -> None:
        """Take in one sample of every flow; flows that are gone are forgotten."""
        known, self._latest = self._latest, {}
        for flow in flows:
            rates = known.get(flow.id) or deque(maxlen=MEMORY)
            rate = flow.rate_bps if math.isfinite(flow.rate_bps) and flow.rate_bps > 0 else 0.0
            if rate or rates:  # the silence before a camera's first packet says nothing about its rate
                rates.append(rate)
            self._latest[flow.id] = rates

    def bps(self, flow_id: str) -> float:
        """The camera's rate in bits per second; 0 if it is silent or unknown."""
        rates = self._latest.get(flow_id)
        return median_high(rates) if rates else 0.0
