"""What the balancer sees, from samples as Prometheus would give them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
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


AGENTS = {"edge": ("van", "vdpi"), "core": ("vsre", "vwapp")}


def scrape(
    held: list[Sample],
    at_s: float,
    *,
    cpu_s: float,
    down: tuple[str, ...] = (),
    agents: tuple[str, ...] = ("edge", "core"),
    took_s: float = 0.01,
    sent_bytes: float = 0.0,
) -> None:
    """One scrape of the agents, and of one camera's counter at the vAN; ``down`` VNFs cannot be read."""
    for agent in agents:
        target = {"job": f"agent-{agent}", "instance": f"{agent}:9101"}
        held.append(Sample("scrape_duration_seconds", target, at_s, took_s))
        for service in ("service1", "service2"):
            for vnf in AGENTS[agent]:
                labels = {**target, "service": service, "vnf": vnf}
                held += [
                    Sample("vnf_up", labels, at_s, 0 if f"{service}/{vnf}" in down else 1),
                    Sample("vnf_cpu_seconds_total", labels, at_s, cpu_s),
                    Sample("vnf_cpu_quota_cores", labels, at_s, 0.35),
                    Sample("vnf_forwarded_bytes_total", labels, at_s, cpu_s * 1e6),
                ]
    where = {"service": "service1", "vnf": "van", "source": FLOW.source, "destination": FLOW.destination}
    held.append(Sample("vnf_flow_bytes_total", where, at_s, sent_bytes))


def home() -> Mapping[str, str]:
    return {FLOW.id: FLOW.home}


def watch() -> Monitor:
    return Monitor(Lab(), {FLOW.id: FLOW})  # type: ignore[arg-type]


def test_usage_and_rates_of_the_last_second(prometheus: list[Sample]) -> None:
    now = time.time()
    scrape(prometheus, now - 1.1, cpu_s=10.0, sent_bytes=0)
    scrape(prometheus, now - 0.1, cpu_s=10.21, sent_bytes=1e6)
    seen = watch().look((), lambda: {FLOW.id: "service2/vdpi"})
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
    assert eyes.look((), home) is not None
    eyes._next_look_s = 0
    assert eyes.look((), home) is None


def test_one_vdpi_without_samples_is_no_observation(prometheus: list[Sample]) -> None:
    scrape(prometheus, time.time() - 0.1, cpu_s=1)
    prometheus[:] = [s for s in prometheus if s.labels.get("service") == "service1"]
    assert watch().look((), home) is None


def test_silence_ends_the_trial(prometheus: list[Sample]) -> None:
    assert prometheus == []
    eyes = watch()
    eyes._silent_since_s -= monitor.SILENCE_LIMIT_S
    with pytest.raises(RunFailed, match=r"agent of edge and core for 3\.\d s: .*service2/vwapp"):
        eyes.look((), home)


def after_three_seconds(
    held: list[Sample], monkeypatch: pytest.MonkeyPatch, **partly: tuple[str, ...]
) -> Monitor:
    """A monitor after one whole scrape and three with a hole, of which it has accepted the first two."""
    start_s = time.time()
    eyes = watch()
    scrape(held, start_s, cpu_s=1)
    for second in range(1, 4):
        monkeypatch.setattr(monitor.time, "time", lambda at_s=start_s + second + 0.1: at_s)
        scrape(held, start_s + second, cpu_s=1 + second / 10, **partly)
        if second < 3:
            assert eyes.look((), home) is not None
    return eyes


def test_an_agent_that_falls_silent_ends_the_trial_though_all_vdpis_are_seen(
    prometheus: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    eyes = after_three_seconds(prometheus, monkeypatch, agents=("edge",))
    with pytest.raises(RunFailed, match=r"no samples from the .* agent of core for 3\.1 s: service1/vsre"):
        eyes.look((), home)


def test_a_vnf_that_cannot_be_read_for_some_seconds_ends_the_trial(
    prometheus: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    eyes = after_three_seconds(prometheus, monkeypatch, down=("service1/vwapp",))
    with pytest.raises(RunFailed, match=r"^service1/vwapp cannot be wholly measured since 3\.\d s"):
        eyes.look((), home)


def test_a_vdpi_that_cannot_be_read_ends_the_trial(prometheus: list[Sample]) -> None:
    now = time.time()
    scrape(prometheus, now - 1.1, cpu_s=1)
    scrape(prometheus, now - 0.1, cpu_s=1.1, down=("service1/vdpi",))
    with pytest.raises(RunFailed, match="cannot be measured"):
        watch().look((), home)


def test_a_slow_scrape_is_no_observation_and_the_next_rate_spans_it(prometheus: list[Sample]) -> None:
    """It began in time and was answered late: its CPU time is of another moment than it says."""
    now = time.time()
    eyes = watch()
    scrape(prometheus, now - 2.1, cpu_s=10.0)
    scrape(prometheus, now - 1.1, cpu_s=10.35, took_s=0.8)
    seen = eyes.look((), home)
    assert seen is not None
    assert seen.at_s == now - 2.1
    assert "cpu" not in seen.vnfs["service1/vdpi"].usage
    scrape(prometheus, now - 0.1, cpu_s=10.42)
    seen = eyes.look((), home)
    assert seen is not None
    assert seen.vnfs["service1/vdpi"].usage["cpu"] == pytest.approx(0.6)


def test_the_paths_are_asked_for_only_when_something_was_seen(prometheus: list[Sample]) -> None:
    asked = []
    eyes = watch()
    assert eyes.look((), lambda: asked.append(1) or home()) is None  # type: ignore[func-returns-value]
    assert not asked
    scrape(prometheus, time.time() - 0.1, cpu_s=1)
    eyes._next_look_s = 0
    assert eyes.look((), lambda: asked.append(1) or home()) is not None  # type: ignore[func-returns-value]
    assert asked == [1]
