"""What the balancer sees, from samples as Prometheus would give them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testbedctl.backends.local.planner import plan
from testbedctl.errors import RunFailed
from testbedctl.experiment import monitor
from testbedctl.experiment.monitor import Monitor
from testbedctl.ports import Flow
from testbedctl.spec.loader import load_testbed
from testbedctl.telemetry.prometheus import Sample

FLOW = Flow("service1/1", "service1", "10.1.16.2", "10.1.0.2", "service1/vdpi", "service1/vdpi", 0.0)


class Lab:
    """Just enough of a lab: its plan, and nothing to enter."""

    plan = plan(load_testbed("slice-sharing"))

    @contextmanager
    def inside_management(self) -> Iterator[None]:
        yield


@pytest.fixture
def prometheus(monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """Samples that the queries return; the test fills them in."""
    held: list[Sample] = []
    monkeypatch.setattr(monitor, "samples", lambda *_: list(held))
    return held


def scrape(held: list[Sample], at_s: float, *, cpu_s: float, up: int = 1, sent_bytes: float = 0.0) -> None:
    """One scrape of both vDPIs, and of one camera's counter at the vAN."""
    for service in ("service1", "service2"):
        labels = {"service": service, "vnf": "vdpi"}
        held += [
            Sample("vnf_up", labels, at_s, up),
            Sample("vnf_cpu_seconds_total", labels, at_s, cpu_s),
            Sample("vnf_cpu_quota_cores", labels, at_s, 0.35),
            Sample("vnf_forwarded_bytes_total", labels, at_s, cpu_s * 1e6),
        ]
    where = {"service": "service1", "vnf": "van", "source": FLOW.source, "destination": FLOW.destination}
    held.append(Sample("vnf_flow_bytes_total", where, at_s, sent_bytes))


def watch() -> Monitor:
    return Monitor(Lab(), {FLOW.id: FLOW})  # type: ignore[arg-type]


def test_usage_and_rates_of_the_last_second(prometheus: list[Sample]) -> None:
    now = time.time()
    scrape(prometheus, now - 1.1, cpu_s=10.0, sent_bytes=0)
    scrape(prometheus, now - 0.1, cpu_s=10.21, sent_bytes=1e6)
    seen = watch().look((), {FLOW.id: "service2/vdpi"})
    assert seen is not None
    assert seen.at_s == now - 0.1
    assert seen.age_s == pytest.approx(0.1, abs=0.05)
    vdpi = seen.vnfs["service1/vdpi"]
    assert vdpi.usage["cpu"] == pytest.approx(0.6)
    assert vdpi.processed_bps == pytest.approx(0.21e6 * 8)
    assert "ram" not in vdpi.usage
    (flow,) = seen.flows
    assert flow.rate_bps == pytest.approx(8e6)
    assert flow.path == "service2/vdpi"


def test_the_same_scrape_is_seen_once(prometheus: list[Sample]) -> None:
    now = time.time()
    scrape(prometheus, now - 1.1, cpu_s=1)
    scrape(prometheus, now - 0.1, cpu_s=1.1)
    eyes = watch()
    assert eyes.look((), {FLOW.id: FLOW.home}) is not None
    eyes._next_look_s = 0
    assert eyes.look((), {FLOW.id: FLOW.home}) is None


def test_one_vdpi_without_samples_is_no_observation(prometheus: list[Sample]) -> None:
    scrape(prometheus, time.time() - 0.1, cpu_s=1)
    prometheus[:] = [s for s in prometheus if s.labels["service"] == "service1"]
    assert watch().look((), {FLOW.id: FLOW.home}) is None


def test_silence_ends_the_trial(prometheus: list[Sample]) -> None:
    assert prometheus == []
    eyes = watch()
    eyes._silent_since_s -= monitor.SILENCE_LIMIT_S
    with pytest.raises(RunFailed, match="no samples"):
        eyes.look((), {FLOW.id: FLOW.home})


def test_a_vdpi_that_cannot_be_read_ends_the_trial(prometheus: list[Sample]) -> None:
    now = time.time()
    scrape(prometheus, now - 1.1, cpu_s=1)
    scrape(prometheus, now - 0.1, cpu_s=1.1, up=0)
    with pytest.raises(RunFailed, match="cannot be measured"):
        watch().look((), {FLOW.id: FLOW.home})
