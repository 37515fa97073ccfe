"""A real Prometheus with telemetry of the last minutes in it, backfilled; it scrapes nothing."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from testbedctl.telemetry.prometheus import Sample, ready

SECONDS = 600
SCRAPES = {"job": "agent-edge", "instance": "127.0.0.1:9101"}
LIMITS = {
    "vnf_cpu_quota_cores": 0.5,
    "vnf_memory_limit_bytes": 2**30,
    "vnf_storage_limit_bytes_per_second": 1e6,
    "vnf_network_limit_bytes_per_second": 1e8,
}
CLASSES = {"service1/van": "T1", "service1/vdpi": "T1", "service2/vdpi": "T2"}


class Prometheus(NamedTuple):
    """Where it listens, and the time of its newest sample (Unix, s)."""

    url: str
    end_s: int


def load(second: float) -> float:
    """The CPU ratio of every VNF: a wave of 20 s, which is easy to learn and bad for persistence."""
    return 0.5 + 0.4 * math.sin(2 * math.pi * second / 20)


def telemetry(
    start_s: int, end_s: int, classes: dict[str, str] = CLASSES, lab: str = "lab"
) -> dict[str, list[Sample]]:
    """Samples of every second from start to end, by metric; a counter has its ratio's integral."""
    found: dict[str, list[Sample]] = {}
    for vnf, vnf_class in classes.items():
        service, _, name = vnf.partition("/")
        labels = {**SCRAPES, "lab": lab, "service": service, "vnf": name, "vnf_class": vnf_class}
        used = dict.fromkeys(("cpu_seconds", "storage_written_bytes", "network_receive_bytes"), 0.0)
        for second in range(start_s, end_s + 1):
            ratio = load(second)
            used["cpu_seconds"] += ratio * 0.5
            used["storage_written_bytes"] += 2e5
            used["network_receive_bytes"] += ratio * 1e8
            values = {f"vnf_{key}_total": value for key, value in used.items()}
            values |= {"vnf_network_transmit_bytes_total": 0.0, "vnf_memory_bytes": 2**28, **LIMITS}
            for metric, value in values.items():
                found.setdefault(metric, []).append(Sample(metric, labels, second, value))
    took = [Sample("scrape_duration_seconds", SCRAPES, at, 0.01) for at in range(start_s, end_s + 1)]
    return {**found, "scrape_duration_seconds": took}


def _openmetrics(samples: dict[str, list[Sample]]) -> str:
    lines = []
    for metric, its in samples.items():
        lines.append(f"# TYPE {metric} unknown")
        for sample in sorted(its, key=lambda s: (sorted(s.labels.items()), s.unix_s)):
            labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
            lines.append(f"{metric}{{{labels}}} {sample.value} {sample.unix_s}")
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Telemetry of three VNFs of the lab ``lab``, 600 seconds until now."""
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    home, end_s = tmp_path_factory.mktemp("prometheus"), int(time.time())
    (home / "text").write_text(_openmetrics(telemetry(end_s - SECONDS, end_s)))
    (home / "prometheus.yml").write_text("scrape_configs: []\n")
    backfill = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "text", "data"]
    subprocess.run(backfill, cwd=home, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]
    with (home / "log").open("wb") as log:
        child = subprocess.Popen(
            [*argv, f"--web.listen-address=127.0.0.1:{port}"], cwd=home, stdout=log, stderr=log
        )
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 30
        while not ready(url):
            assert time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.1)  # polling, bounded by the deadline
        yield Prometheus(url, end_s)
    finally:
        child.terminate()
        child.wait()
