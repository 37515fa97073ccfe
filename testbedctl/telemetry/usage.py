"""From raw samples to the usage of each VNF, as ratios of its allotment. Pure: no clock, no input, no output.

What was not measured is None, never 0: a sample that is missing, not a number or too old, a counter that
began again, an allotment of nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

MAX_AGE_S = 2.5
"""Two and a half scrapes; what is older says nothing about now."""


class RawSample(Protocol):
    """What ``telemetry.prometheus.Sample`` has."""

    @property
    def metric(self) -> str:
        """The metric's name."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""

    @property
    def unix_s(self) -> float:
        """When it was scraped (Unix, seconds)."""

    @property
    def value(self) -> float:
        """The value, in the metric's base unit."""


@dataclass(frozen=True)
class VnfUsage:
    """One VNF at ``at_s``, the time of its newest sample (Unix, seconds).

    ``usage`` is keyed by ``ports.RESOURCES``; CPU, storage and network are means since the sample before,
    network that of the busier direction. ``throttled_ratio`` is the throttled time ÷ the time passed; on
    several cores it can pass 1. ``processed_bps`` is what the VNF's switch forwarded.
    """

    key: str
    at_s: float
    up: bool
    usage: Mapping[str, float | None]
    throttled_ratio: float | None
    processed_bps: float | None


@dataclass(frozen=True)
class _Point:
    unix_s: float
    value: float


def vnf_usage(
    samples: Iterable[RawSample], now_unix_s: float, *, max_age_s: float = MAX_AGE_S
) -> dict[str, VnfUsage]:
    """Usage per VNF key (``service/vnf``) from the two newest samples of each series.

    ``now_unix_s`` decides what is too old. A VNF none of whose samples is fresh is not in the result.
    """
    series: dict[str, dict[str, list[_Point]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        labels = sample.labels
        further = labels.get("job", "").startswith("extra-")  # a service's own metrics say nothing of usage
        if "service" in labels and "vnf" in labels and not further and not math.isnan(sample.value):
            points = series[f"{labels['service']}/{labels['vnf']}"][sample.metric]
            points.append(_Point(sample.unix_s, sample.value))
    read = {key: _Vnf(metrics, now_unix_s - max_age_s) for key, metrics in sorted(series.items())}
    return {key: vnf.usage(key, vnf.newest_s) for key, vnf in read.items() if vnf.newest_s is not None}


class _Vnf:
    """The series of one VNF. Metrics with further labels (per camera) are not asked for here."""

    def __init__(self, metrics: Mapping[str, list[_Point]], oldest_s: float) -> None:
        self._metrics = {
            name: sorted(points, key=lambda point: point.unix_s)[-2:]
            for name, points in metrics.items()
            if max(point.unix_s for point in points) >= oldest_s
        }
        self.newest_s = max((points[-1].unix_s for points in self._metrics.values()), default=None)

    def usage(self, key: str, at_s: float) -> VnfUsage:
        """All ratios of this VNF."""
        received = self._rate("vnf_network_receive_bytes_total")
        transmitted = self._rate("vnf_network_transmit_bytes_total")
        busier = None if received is None or transmitted is None else max(received, transmitted)
        forwarded = self._rate("vnf_forwarded_bytes_total")
        return VnfUsage(
            key=key,
            at_s=at_s,
            up=self._now("vnf_up") == 1,
            usage={
                "cpu": self._ratio(self._rate("vnf_cpu_seconds_total"), "vnf_cpu_quota_cores"),
                "ram": self._ratio(self._now("vnf_memory_bytes"), "vnf_memory_limit_bytes"),
                "storage": self._ratio(
                    self._rate("vnf_storage_written_bytes_total"), "vnf_storage_limit_bytes_per_second"
                ),
                "network": self._ratio(busier, "vnf_network_limit_bytes_per_second"),
            },
            throttled_ratio=self._rate("vnf_cpu_throttled_seconds_total"),
            processed_bps=None if forwarded is None else forwarded * 8,
        )

    def _now(self, metric: str) -> float | None:
        points = self._metrics.get(metric)
        return points[-1].value if points else None

    def _rate(self, metric: str) -> float | None:
        """Increase per second between the two newest samples; None after a restart of the counter."""
        points = self._metrics.get(metric, [])
        if len(points) < 2:
            return None
        before, after = points
        if after.unix_s <= before.unix_s or after.value < before.value:
            return None
        return (after.value - before.value) / (after.unix_s - before.unix_s)

    def _ratio(self, value: float | None, limit: str) -> float | None:
        allotted = self._now(limit)
        return value / allotted if value is not None and allotted else None
