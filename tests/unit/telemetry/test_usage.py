"""Ratios from raw samples; what was not measured stays None."""

from __future__ import annotations

import math

import pytest

from testbedctl.telemetry.prometheus import Sample
from testbedctl.telemetry.usage import VnfUsage, vnf_usage

NOW = 1000.0
LABELS = {"service": "service1", "vnf": "vdpi", "lab": "l"}
COUNTERS = {
    "vnf_cpu_seconds_total": 0.2,
    "vnf_cpu_throttled_seconds_total": 0.5,
    "vnf_storage_written_bytes_total": 1e6,
    "vnf_network_receive_bytes_total": 3e7,
    "vnf_network_transmit_bytes_total": 1e7,
    "vnf_forwarded_bytes_total": 2e7,
}
GAUGES = {
    "vnf_up": 1,
    "vnf_cpu_quota_cores": 0.25,
    "vnf_memory_bytes": 2**28,
    "vnf_memory_limit_bytes": 2**30,
    "vnf_storage_limit_bytes_per_second": 5e7,
    "vnf_network_limit_bytes_per_second": 1.25e8,
}


def _samples(times: tuple[float, ...] = (997.5, 998.5, 999.5)) -> list[Sample]:
    """Counters that grow by the amounts above each second, and gauges."""
    counted = [Sample(m, LABELS, t, 50 + rate * (t - 997.5)) for m, rate in COUNTERS.items() for t in times]
    return counted + [Sample(m, LABELS, t, value) for m, value in GAUGES.items() for t in times]


def _one(samples: list[Sample], now: float = NOW) -> VnfUsage:
    return vnf_usage(samples, now)["service1/vdpi"]


def test_every_ratio() -> None:
    usage = _one(_samples())
    assert usage.at_s == 999.5
    assert usage.up
    assert usage.usage == pytest.approx({"cpu": 0.8, "ram": 0.25, "storage": 0.02, "network": 0.24})
    assert usage.throttled_ratio == pytest.approx(0.5)
    assert usage.processed_bps == pytest.approx(1.6e8)


def test_the_order_of_samples_does_not_matter() -> None:
    assert _one(_samples()[::-1]) == _one(_samples())


def test_the_newest_second_counts_and_not_the_window() -> None:
    burst = Sample("vnf_cpu_seconds_total", LABELS, 999.5, 50.7)
    old = [s for s in _samples() if not (s.metric == burst.metric and s.unix_s == 999.5)]
    assert _one([*old, burst]).usage["cpu"] == pytest.approx((50.7 - 50.2) / 0.25)


def test_one_sample_gives_no_rate() -> None:
    usage = _one(_samples((999.5,)))
    assert usage.usage == {"cpu": None, "ram": 0.25, "storage": None, "network": None}
    assert usage.throttled_ratio is None
    assert usage.processed_bps is None


@pytest.mark.parametrize("metric", sorted(COUNTERS))
def test_a_counter_that_began_again_gives_none(metric: str) -> None:
    reset = [Sample(s.metric, s.labels, s.unix_s, 0.0) if (s.metric, s.unix_s) == (metric, 999.5) else s
             for s in _samples()]  # fmt: skip
    usage = _one(reset)
    values = {**usage.usage, "throttled": usage.throttled_ratio, "processed": usage.processed_bps}
    assert [name for name, value in values.items() if value is None] == [
        {"cpu_s": "cpu", "cpu_t": "throttled", "stora": "storage", "netwo": "network", "forwa": "processed"}[
            metric.removeprefix("vnf_")[:5]
        ]
    ]


def test_a_counter_that_stands_still_is_a_measured_zero() -> None:
    still = [Sample("vnf_cpu_seconds_total", LABELS, t, 7.0) for t in (998.5, 999.5)]
    quota = Sample("vnf_cpu_quota_cores", LABELS, 999.5, 0.25)
    assert _one([*still, quota]).usage["cpu"] == 0.0


def test_old_samples_are_none_and_a_silent_vnf_is_absent() -> None:
    assert vnf_usage(_samples(), NOW + 2.1) == {}
    stale_cpu = [s for s in _samples() if not (s.metric == "vnf_cpu_seconds_total" and s.unix_s > 997)]
    aged = [Sample("vnf_cpu_seconds_total", LABELS, t, t) for t in (990.0, 991.0)]
    assert _one([*stale_cpu, *aged]).usage["cpu"] is None
    assert _one([*stale_cpu, *aged]).usage["ram"] == 0.25


def test_not_a_number_is_not_a_sample() -> None:
    poisoned = [Sample(s.metric, s.labels, s.unix_s, math.nan) if s.metric == "vnf_memory_bytes" else s
                for s in _samples()]  # fmt: skip
    assert _one(poisoned).usage["ram"] is None


def test_an_allotment_of_nothing_or_none() -> None:
    for value in (None, 0.0):
        rest = [s for s in _samples() if s.metric != "vnf_memory_limit_bytes"]
        limit = [] if value is None else [Sample("vnf_memory_limit_bytes", LABELS, 999.5, value)]
        assert _one([*rest, *limit]).usage["ram"] is None


def test_up_is_what_the_agent_says() -> None:
    rest = [s for s in _samples() if s.metric != "vnf_up"]
    assert not _one(rest).up
    assert not _one([*rest, Sample("vnf_up", LABELS, 999.5, 0)]).up


def test_other_series_are_left_alone() -> None:
    foreign = [Sample("node_load1", {"job": "node"}, 999.5, 3.0)]
    assert vnf_usage(foreign, NOW) == {}
    assert vnf_usage([], NOW) == {}


def test_vnfs_are_kept_apart() -> None:
    other = [Sample(s.metric, {**LABELS, "service": "service2"}, s.unix_s, s.value) for s in _samples()]
    assert list(vnf_usage([*_samples(), *other], NOW)) == ["service1/vdpi", "service2/vdpi"]
