"""Which scrapes can be trusted: a sample has the time at which its scrape began, not that of its value."""

from __future__ import annotations

from collections.abc import Iterable

from testbedctl.telemetry.prometheus import Sample

DURATION = "scrape_duration_seconds"
SLOW_S = 0.3
"""A scrape takes about 10 ms. One that took longer holds values of an unknown moment: its rates are false."""

Scrape = tuple[str | None, str | None, float]
"""Job, instance and time: all samples of one scrape have the same, Prometheus's own about it included."""


def slow(samples: Iterable[Sample]) -> set[Scrape]:
    """The scrapes that took too long to be believed."""
    return {_scrape(s) for s in samples if s.metric == DURATION and s.value > SLOW_S}


def believed(samples: Iterable[Sample]) -> list[Sample]:
    """The samples without those of slow scrapes, and without the metrics that services name themselves:
    these carry a VNF's labels at times of their own."""
    found = list(samples)
    late = slow(found)
    return [s for s in found if _scrape(s) not in late and not s.labels.get("job", "").startswith("extra-")]


def _scrape(sample: Sample) -> Scrape:
    return sample.labels.get("job"), sample.labels.get("instance"), sample.unix_s
