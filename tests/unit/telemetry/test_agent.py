"""The agent as Prometheus sees it: over HTTP, parsed by the client library's own parser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from testbedctl.telemetry.agent import AgentServer
from testbedctl.telemetry.collector import DomainCollector
from testbedctl.telemetry.config import AgentConfig, SwitchControl
from testbedctl.telemetry.exposition import text

Scrape = dict[str, list[tuple[dict[str, str], float]]]


def _parsed(body: str) -> Scrape:
    found: Scrape = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def _scrape(config: AgentConfig) -> Scrape:
    return _parsed(text(DomainCollector(config).collect()).decode())


@pytest.fixture
def url(config: AgentConfig) -> Iterator[str]:
    with AgentServer(config) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_healthy_vnf_over_http(url: str) -> None:
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        found = _parsed(answer.read().decode())
    labels = {"lab": "lab", "domain": "edge", "service": "service1", "vnf": "van"}
    labels |= {"vnf_type": "van", "vnf_class": "T1"}
    assert found["vnf_up"] == [(labels, 1)]
    assert found["vnf_cpu_seconds_total"][0][1] == pytest.approx(1.234567, abs=1e-6)
    assert found["vnf_cpu_quota_cores"] == [(labels, 0.25)]
    assert found["vnf_memory_bytes"] == [(labels, 100663296)]
    assert found["vnf_storage_limit_bytes_per_second"] == [(labels, 5e7)]
    assert found["vnf_network_receive_bytes_total"][0][1] > 0  # this very request crosses lo
    assert not any(name.startswith(("vnf_dpi", "vnf_forwarded", "vnf_flow")) for name in found)


def test_values_are_of_the_moment_of_the_scrape(config: AgentConfig) -> None:
    collector = DomainCollector(config)
    group = config.vnfs[0].cgroups
    first = _parsed(text(collector.collect()).decode())["vnf_memory_bytes"][0][1]
    used = "memory.usage_in_bytes" if group.version == 1 else "memory.current"
    Path(group.memory, used).write_text("209715200\n")
    second = _parsed(text(collector.collect()).decode())["vnf_memory_bytes"][0][1]
    assert second - first == 104857600


def test_other_paths_are_not_found(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{url}/secret", timeout=5)


@pytest.mark.parametrize(
    ("file", "metrics"),
    [
        ("cpu.stat", ["vnf_cpu_seconds_total", "vnf_cpu_throttled_seconds_total"]),
        ("memory.stat", ["vnf_memory_bytes"]),
        ("cgroup.procs", ["vnf_network_receive_bytes_total", "vnf_network_transmit_bytes_total"]),
    ],
)
def test_a_source_that_is_gone_is_absent_and_the_rest_stays(
    config: AgentConfig, file: str, metrics: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    group = config.vnfs[0].cgroups
    for directory in {group.cpu, group.memory}:
        Path(directory, file).unlink(missing_ok=True)
    found = _scrape(config)
    assert found["vnf_up"][0][1] == 0
    assert not set(metrics) & set(found)
    assert found["vnf_cpu_quota_cores"][0][1] == 0.25
    assert "service1/van" in capsys.readouterr().err


def test_a_vnf_without_a_process_is_down(config: AgentConfig) -> None:
    Path(config.vnfs[0].cgroups.cpu, "cgroup.procs").write_text("")
    found = _scrape(config)
    assert found["vnf_up"][0][1] == 0
    assert "vnf_network_receive_bytes_total" not in found


def test_a_fault_is_said_once_and_its_end_too(
    config: AgentConfig, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stats = tmp_path / "dpi.json"
    collector = DomainCollector(replace(config, vnfs=(replace(config.vnfs[0], dpi_stats=str(stats)),)))
    for _ in range(3):
        list(collector.collect())
    assert len(capsys.readouterr().err.splitlines()) == 1
    engine = {
        "schema": "testbedctl.dpi/1",
        "heartbeat_unix_s": time.time(),
        "dropped_packets": 1,
        "classes": [],
    }
    stats.write_text(json.dumps(engine))
    found = _parsed(text(collector.collect()).decode())
    assert found["vnf_up"][0][1] == 1
    assert found["vnf_dpi_dropped_packets_total"][0][1] == 1
    assert "all sources can be read" in capsys.readouterr().err


def test_a_dead_switch_and_a_stale_engine(config: AgentConfig, tmp_path: Path) -> None:
    stats = tmp_path / "dpi.json"
    stale = {
        "schema": "testbedctl.dpi/1",
        "heartbeat_unix_s": time.time() - 60,
        "dropped_packets": 0,
        "classes": [{"camera": "10.0.0.1", "protocol": "RTP", "packets": 1, "bytes": 1}],
    }
    stats.write_text(json.dumps(stale))
    switch = SwitchControl(str(tmp_path / "gone.ctl"), "br0")
    found = _scrape(replace(config, vnfs=(replace(config.vnfs[0], ovs=switch, dpi_stats=str(stats)),)))
    assert found["vnf_up"][0][1] == 0
    assert not any(name.startswith(("vnf_dpi", "vnf_forwarded", "vnf_flow")) for name in found)
    assert "vnf_cpu_seconds_total" in found


def test_label_values_are_escaped() -> None:
    family = GaugeMetricFamily("x", "help", labels=["a"])
    wild = 'quote " back \\ line\nend <b>'
    family.add_metric([wild], 1.5)
    assert _parsed(text([family]).decode()) == {"x": [({"a": wild}, 1.5)]}


def test_large_counters_keep_every_digit() -> None:
    family = GaugeMetricFamily("x", "help", labels=["a"])
    family.add_metric(["b"], 9007199254740991)
    assert "9007199254740991" in text([family]).decode()


def _agent(config_file: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "testbedctl.telemetry.agent", "--config", str(config_file)]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)


def test_a_configuration_that_is_missing_or_broken(tmp_path: Path) -> None:
    for file, text_ in ((tmp_path / "none", None), (tmp_path / "broken", "{")):
        if text_:
            file.write_text(text_)
        agent = _agent(file)
        _, said = agent.communicate(timeout=10)
        assert agent.returncode == 2
        assert said.startswith("error: ")


def test_an_address_in_use_and_a_clean_end(config: AgentConfig, tmp_path: Path) -> None:
    file = tmp_path / "agent.json"
    with AgentServer(config) as server:
        file.write_text(replace(config, listen=("127.0.0.1", server.server_port)).to_json())
        agent = _agent(file)
        _, said = agent.communicate(timeout=10)
        assert agent.returncode == 4
        assert f"127.0.0.1:{server.server_port}" in said
        port = server.server_port
    agent = _agent(file)
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5):
                break
        except OSError:
            assert time.monotonic() < deadline, "the agent does not answer"
            time.sleep(0.02)  # polling, bounded by the deadline
    os.kill(agent.pid, signal.SIGTERM)
    assert agent.wait(timeout=5) == 0
    assert agent.stderr is not None
    agent.stderr.close()
