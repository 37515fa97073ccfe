"""Prometheus: its configuration and arguments, and what happens when it is not there."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from testbedctl.errors import RunFailed
from testbedctl.telemetry import prometheus

WEB = prometheus.Target("10.255.0.9:8080", "/app/metrics", {"service": "service1", "vnf": "w"})
NOBODY = "http://127.0.0.1:9"  # the discard port


def _config(path: Path, **changes: object) -> Path:
    values: dict[str, object] = {
        "lab": "lab",
        "agents": {"edge": "127.0.0.1:9101", "core": "127.0.0.1:9102"},
        "node_exporter": "127.0.0.1:9100",
        "extra": {"service1/web": WEB},
    }
    prometheus.write_config(path, **{**values, **changes})  # type: ignore[arg-type]
    return path


def test_all_targets_are_scraped_every_second(tmp_path: Path) -> None:
    config = YAML(typ="safe").load(_config(tmp_path / "p.yml"))
    assert config["global"]["scrape_interval"] == "1s"
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    targets = {name: job["static_configs"][0]["targets"] for name, job in jobs.items()}
    assert targets == {
        "agent-core": ["127.0.0.1:9102"],
        "agent-edge": ["127.0.0.1:9101"],
        "node": ["127.0.0.1:9100"],
        "extra-service1/web": ["10.255.0.9:8080"],
    }
    assert jobs["extra-service1/web"]["metrics_path"] == "/app/metrics"
    labels = jobs["extra-service1/web"]["static_configs"][0]["labels"]
    assert labels == {"lab": "lab", "service": "service1", "vnf": "w"}


def test_text_cannot_leave_its_place(tmp_path: Path) -> None:
    wild = 'a"\n  - job_name: evil'
    target = prometheus.Target("h:1", f"/{wild}", {"vnf": wild})
    config = YAML(typ="safe").load(_config(tmp_path / "p.yml", lab="lab", extra={wild: target}))
    assert config["scrape_configs"][-1]["static_configs"][0]["labels"]["vnf"] == wild
    assert config["scrape_configs"][-1]["job_name"] == f"extra-{wild}"
    assert config["scrape_configs"][-1]["metrics_path"] == f"/{wild}"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("extra", [{}, {"service1/web": WEB}])
def test_prometheus_accepts_the_configuration(tmp_path: Path, extra: dict[str, prometheus.Target]) -> None:
    config = _config(tmp_path / "p.yml", extra=extra)
    checked = subprocess.run(
        ["promtool", "check", "config", config], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_arguments_name_every_private_path() -> None:
    argv = prometheus.prometheus_argv(Path("/x/p.yml"), Path("/x/data"), "127.0.0.1:1")
    assert argv[0] == "prometheus"
    assert {
        "--config.file=/x/p.yml",
        "--storage.tsdb.path=/x/data",
        "--web.listen-address=127.0.0.1:1",
    } <= set(argv)
    assert "--collector.disable-defaults" in prometheus.node_exporter_argv("127.0.0.1:2")


def test_nobody_answers() -> None:
    started = time.monotonic()
    assert not prometheus.ready(NOBODY)
    with pytest.raises(RunFailed, match="does not answer"):
        prometheus.samples(NOBODY, "up", 5)
    with pytest.raises(RunFailed, match="does not answer"):
        prometheus.export(NOBODY, 0, 1)
    assert time.monotonic() - started < 5


def test_a_proxy_of_the_users_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert not prometheus.ready(NOBODY)
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_importing_asks_for_nothing_heavy() -> None:
    program = (
        "import sys\nfrom testbedctl.telemetry import config, prometheus, usage\n"
        "heavy = ('pandas', 'numpy', 'requests', 'jinja2', 'prometheus_api_client')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_asking_loads_no_pandas() -> None:
    program = (
        "import sys\nfrom testbedctl.telemetry.prometheus import ready\n"
        f"ready({NOBODY!r})\nprint('prometheus_api_client' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True False"
