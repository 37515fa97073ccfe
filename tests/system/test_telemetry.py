"""A real switch, a real Prometheus and real control groups, each in namespaces of the test's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from testbedctl.errors import RunFailed
from testbedctl.host import cgroup, netns
from testbedctl.telemetry import prometheus
from testbedctl.telemetry.collector import DomainCollector
from testbedctl.telemetry.usage import VnfUsage, vnf_usage
from tests.system.telemetry_lab import ALLOWED, REFUSED, SINK, Lab, namespaces, running, switched, wait

pytestmark = pytest.mark.skipif(shutil.which("ovs-vswitchd") is None, reason="Open vSwitch is not installed")

URL = "http://127.0.0.1:9090"
FRAME_BYTES = 14 + 20 + 8 + 500
Values = dict[tuple[str, str], float]
"""Value by metric and ``source`` label (empty where there is none)."""


@pytest.fixture
def group() -> Iterator[tuple[cgroup.Hierarchy, str]]:
    hierarchy, name = cgroup.detect(), f"testbedctl-test-telemetry-{os.getpid()}"
    cgroup.create(hierarchy, name, cpu_cores=0.5, memory_bytes=512 * 2**20)
    yield hierarchy, name
    cgroup.remove(hierarchy, name)


@pytest.fixture
def lab(tmp_path: Path, group: tuple[cgroup.Hierarchy, str]) -> Iterator[Lab]:
    with switched(*group, tmp_path) as found:
        yield found


def _scrape(collector: DomainCollector) -> Values:
    return {
        (sample.name, sample.labels.get("source", "")): sample.value
        for metric in collector.collect()
        for sample in metric.samples
    }


def test_flow_counters_are_the_switchs_and_interface_counters_the_kernels(lab: Lab) -> None:
    collector = DomainCollector(lab.config)
    before = _scrape(collector)
    assert before["vnf_up", ""] == 1
    lab.send(ALLOWED, 50)
    lab.send(REFUSED, 30)
    flow = ("vnf_flow_packets_total", ALLOWED)
    wait(lambda: _scrape(collector)[flow] >= 50, "the switch publishes its counts", 3)
    after = _scrape(collector)
    assert after[flow] == 50
    assert after["vnf_flow_bytes_total", ALLOWED] == 50 * FRAME_BYTES
    assert ("vnf_flow_packets_total", REFUSED) not in after
    forwarded = after["vnf_forwarded_packets_total", ""] - before["vnf_forwarded_packets_total", ""]
    assert 50 <= forwarded < 80  # with the sink's ARP; none of the thirty that were dropped
    received = after["vnf_network_receive_bytes_total", ""] - before["vnf_network_receive_bytes_total", ""]
    assert received >= 80 * FRAME_BYTES
    assert after["vnf_cpu_seconds_total", ""] > before["vnf_cpu_seconds_total", ""]
    assert after["vnf_memory_bytes", ""] > 2**20


def test_a_switch_that_hangs_delays_no_scrape_and_shows_no_old_count(lab: Lab) -> None:
    collector = DomainCollector(lab.config)
    lab.send(ALLOWED, 10)
    before = _scrape(collector)
    os.kill(lab.switch_pid, signal.SIGSTOP)
    try:
        lab.send(ALLOWED, 20)
        started = time.monotonic()
        hung = _scrape(collector)
        assert time.monotonic() - started < 0.9  # Prometheus's scrape timeout
    finally:
        os.kill(lab.switch_pid, signal.SIGCONT)
    assert hung["vnf_up", ""] == 0
    assert not any(name.startswith(("vnf_forwarded", "vnf_flow")) for name, _ in hung)
    # the kernel took the packets, though nobody forwarded them
    grown = hung["vnf_network_receive_bytes_total", ""] - before["vnf_network_receive_bytes_total", ""]
    assert grown >= 20 * FRAME_BYTES
    wait(lambda: _scrape(collector)["vnf_up", ""] == 1, "the switch answers again", 3)


def test_a_deleted_rule_does_not_take_its_packets_along(lab: Lab) -> None:
    collector = DomainCollector(lab.config)
    lab.send(ALLOWED, 40)
    flow = ("vnf_flow_packets_total", ALLOWED)
    wait(lambda: _scrape(collector)[flow] >= 40, "the switch publishes its counts", 3)
    before = _scrape(collector)["vnf_forwarded_packets_total", ""]
    match = f"ip,nw_src={ALLOWED},nw_dst={SINK}"
    subprocess.run(["ovs-ofctl", "del-flows", f"unix:{lab.directory}/br0.mgmt", match], check=True)
    wait(lambda: flow not in _scrape(collector), "the rule is gone", 3)
    assert _scrape(collector)["vnf_forwarded_packets_total", ""] >= before


def test_a_killed_switch_is_down(lab: Lab) -> None:
    collector = DomainCollector(lab.config)
    assert _scrape(collector)["vnf_up", ""] == 1
    os.kill(lab.switch_pid, signal.SIGKILL)
    wait(lambda: _scrape(collector)["vnf_up", ""] == 0, "its death is seen", 3)
    found = _scrape(collector)
    assert not any(name.startswith("vnf_forwarded") for name, _ in found)


@pytest.fixture
def monitored(lab: Lab, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The lab with agent, node_exporter and Prometheus; the management namespace, and the agent."""
    if shutil.which("prometheus") is None or shutil.which("prometheus-node-exporter") is None:
        pytest.skip("prometheus and prometheus-node-exporter are not installed")
    management = f"tel{os.getpid()}m"
    (tmp_path / "agent.json").write_text(lab.config.to_json())
    targets = {"edge": "127.0.0.1:9101"}
    prometheus.write_config(
        tmp_path / "p.yml", lab="lab", agents=targets, node_exporter="127.0.0.1:9100",
        extra={"service1/agent": prometheus.Target("127.0.0.1:9101", "/metrics", {"service": "service1"})},
    )  # fmt: skip
    agent = [sys.executable, "-m", "testbedctl.telemetry.agent", "--config", str(tmp_path / "agent.json")]
    with ExitStack() as stack:
        stack.enter_context(namespaces(management))
        log = tmp_path / "telemetry.log"
        process = stack.enter_context(running(management, agent, log))
        stack.enter_context(running(management, prometheus.node_exporter_argv("127.0.0.1:9100"), log))
        argv = prometheus.prometheus_argv(tmp_path / "p.yml", tmp_path / "data", "127.0.0.1:9090")
        stack.enter_context(running(management, argv, log))
        yield management, process


def _usage(management: str) -> dict[str, VnfUsage]:
    with netns.inside(management):
        found = prometheus.samples(URL, '{__name__=~"vnf_.+",job="agent-edge"}', 5)
    return vnf_usage(found, time.time())


def test_a_real_prometheus_from_scrape_to_usage(
    lab: Lab, monitored: tuple[str, subprocess.Popen[bytes]]
) -> None:
    management, agent = monitored
    with netns.inside(management):
        wait(lambda: prometheus.ready(URL), "Prometheus is ready", 15)

        def jobs_up() -> set[str]:
            return {s.labels["job"] for s in prometheus.samples(URL, "up", 3) if s.value == 1}

        wait(
            lambda: jobs_up() == {"agent-edge", "node", "extra-service1/agent"}, "all targets are scraped", 15
        )
    start = time.time()

    def measured() -> bool:
        usage = _usage(management).get("service1/van")
        return usage is not None and None not in usage.usage.values()

    wait(measured, "two scrapes", 5)
    lab.send(ALLOWED, 1500)
    usage = _usage(management)["service1/van"]
    assert usage.up
    assert time.time() - usage.at_s < 2.5
    assert usage.usage["cpu"] is not None and 0 < usage.usage["cpu"] < 1.2
    assert usage.usage["network"] is not None and usage.usage["network"] > 0
    wait(lambda: (_usage(management)["service1/van"].processed_bps or 0) > 0, "the switch's counts", 3)

    end = time.time()
    with netns.inside(management):
        raw = prometheus.export(URL, start, end)
        recent = prometheus.samples(URL, 'vnf_cpu_seconds_total{job="agent-edge"}', end - start + 1)
    times = sorted(s.unix_s for s in raw if s.metric == "vnf_up" and s.labels["job"] == "agent-edge")
    assert len(times) >= 2
    assert start <= times[0] and times[-1] <= end
    assert all(abs(b - a - 1) < 0.2 for a, b in pairwise(times))  # scraped, not resampled
    exported = {
        (s.unix_s, s.value)
        for s in raw
        if s.metric == "vnf_cpu_seconds_total" and s.labels["job"] == "agent-edge"
    }
    assert exported <= {(s.unix_s, s.value) for s in recent}
    assert any(s.metric == "node_cpu_seconds_total" for s in raw)

    agent.kill()
    agent.wait()
    killed = time.monotonic()
    wait(lambda: not _usage(management), "the agent's death is noticed", 3)
    assert time.monotonic() - killed < 3


def test_a_query_that_prometheus_refuses(monitored: tuple[str, subprocess.Popen[bytes]]) -> None:
    management, _ = monitored
    with netns.inside(management):
        wait(lambda: prometheus.ready(URL), "Prometheus is ready", 15)
        with pytest.raises(RunFailed, match="refuses a query"):
            prometheus.samples(URL, "{", 5)


def test_an_agent_of_a_namespace_that_is_gone(lab: Lab) -> None:
    gone = replace(lab.config, vnfs=(replace(lab.config.vnfs[0], netns="telemetry-gone"),))
    found = _scrape(DomainCollector(gone))
    assert found["vnf_up", ""] == 0
    assert ("vnf_network_receive_bytes_total", "") not in found
    assert found["vnf_flow_packets_total", ALLOWED] >= 0
