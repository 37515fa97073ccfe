"""What a killed run leaves, a controller that hangs, other people's policies, and two state directories."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import CHECKOUT, cli
from tests.system.measuring import Background, calm_profile, cameras, manifest, program, until

LAB = "recovery"
PLUGIN = '''
from testbedctl.ports import Reason, Share


class Hasty:
    """Shares the first camera at once."""

    def __init__(self):
        self.done = False

    def decide(self, observation):
        if self.done or not any(flow.rate_bps for flow in observation.flows):
            return []
        self.done = True
        why = Reason("service1/vdpi", 0.1, None, 0.6, "at once")
        return [Share("service1/vdpi", "service2/vdpi", ("service1/1",), 0.5, why)]

    def place(self, flow, targets):
        return None


class Broken(Hasty):
    def decide(self, observation):
        return [Share("service1/vdpi", "service9/vdpi", (), 0.5, None)]
'''
ENTRY_POINTS = """[testbedctl.policies]
hasty = hasty:Hasty
broken = hasty:Broken
round-robin = policy_round_robin:RoundRobin
"""


@pytest.fixture
def lab(untouched: None) -> Iterator[str]:  # noqa: ARG001 - taken down by it
    done = cli("up", "--lab", LAB)
    assert done.returncode == 0, done.stderr
    yield LAB


@pytest.fixture
def plugins(tmp_path: Path) -> str:
    """A PYTHONPATH on which a package with policies is installed."""
    site = tmp_path / "site"
    info = site / "hasty-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hasty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "hasty.py").write_text(PLUGIN)
    shutil.copy(CHECKOUT / "examples/policy_round_robin/policy_round_robin.py", site)
    return f"{CHECKOUT}:{site}"


def switch_rules(service: str) -> list[str]:
    dump = cli("exec", f"{service}/van", "--lab", LAB, "--", *_dump(service)).stdout
    return [line for line in dump.splitlines() if "priority=100" in line or "priority=200" in line]


def _dump(service: str) -> list[str]:
    target = f"/run/testbedctl/{LAB}/ovs/{service}.van/ctl.sock"
    return ["ovs-appctl", "-t", target, "bridge/dump-flows", "br0"]


@pytest.mark.usefixtures("lab")
def test_a_killed_stress_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    run = Background("stress", str(calm_profile(tmp_path, 30)), "--arm", "none", "--lab", LAB)
    until(lambda: cameras(LAB, "service1"), "the first camera")
    run.process.kill()
    run.end()
    assert switch_rules("service1")
    done = cli("stress", str(calm_profile(tmp_path, 4)), "--arm", "none", "--lab", LAB)
    assert done.returncode == 0, done.stderr
    assert not switch_rules("service1")


@pytest.mark.usefixtures("lab")
def test_a_controller_that_hangs_is_the_cause_and_is_told_in_time(tmp_path: Path, plugins: str) -> None:
    profile = str(calm_profile(tmp_path, 20))
    run = Background("stress", profile, "--arm", "hasty", "--lab", LAB, PYTHONPATH=plugins)
    until(lambda: switch_rules("service1"), "the cameras' rules")
    controller = program(LAB, "controller")
    os.kill(controller, signal.SIGSTOP)
    began = time.monotonic()
    try:
        code, _, err = run.end()
    finally:
        os.kill(controller, signal.SIGCONT)
    assert code == 5
    assert time.monotonic() - began < 12, "the warm-up is short, the first sample comes within 4 s"
    assert "does not answer POST /v1/shares" in err
    assert "POST /v1/shares" in manifest(tmp_path / "runs")["cause"]
    again = cli("stress", str(calm_profile(tmp_path, 4)), "--arm", "none", "--lab", LAB)
    assert again.returncode == 0, again.stderr


@pytest.mark.usefixtures("lab")
def test_policies_of_somebody_else(tmp_path: Path, plugins: str) -> None:
    """The example places cameras elsewhere; a broken one ends the run with its name."""
    profile = str(calm_profile(tmp_path, 4))
    found = cli("stress", profile, "--arm", "round-robin:every=1", "--lab", LAB, "--json", PYTHONPATH=plugins)
    assert found.returncode == 0, found.stderr
    (trial,) = (Path(json.loads(found.stdout)["path"]) / "trials").iterdir()
    inspected = json.loads((trial / "trial.json").read_text())["dpi"]
    assert inspected["service2/vdpi"]["forwarded"] > 3 * inspected["service1/vdpi"]["forwarded"] > 0
    done = cli("stress", profile, "--arm", "broken", "--lab", LAB, PYTHONPATH=plugins)
    assert done.returncode == 5
    assert "arm 'broken': 'share'" in done.stderr
    assert "fault in testbedctl" not in done.stderr
    assert not switch_rules("service1")
    _host_and_decisions(json.loads((trial.parents[1] / "manifest.json").read_text())["host"])


def _host_and_decisions(host: dict[str, Any]) -> None:
    assert (host["datapath"], host["offloads"]) == ("netdev", {"tx_checksum": False, "gro": False})
    url = "http://127.0.0.1:9101/metrics"
    fetch = f"import urllib.request as u; print(u.urlopen({url!r}).read().decode())"
    metrics = cli("exec", "mgmt", "--lab", LAB, "--", "python3", "-c", fetch).stdout
    line = f'asro_decisions_total{{lab="{LAB}",action="share"}} '
    (count,) = [each.removeprefix(line) for each in metrics.splitlines() if each.startswith(line)]
    assert float(count) >= 1


@pytest.mark.usefixtures("lab")
def test_only_one_measures_on_a_host_whatever_its_state_directory(tmp_path: Path) -> None:
    run = Background("stress", str(calm_profile(tmp_path, 30)), "--arm", "none", "--lab", LAB)
    until(lambda: cameras(LAB, "service1"), "the first camera")
    other = str(tmp_path / "other")
    try:
        assert cli("up", "--lab", "second", TESTBEDCTL_STATE=other).returncode == 0
        profile = str(calm_profile(tmp_path, 4))
        began = time.monotonic()
        arguments = ["--arm", "none", "--lab", "second", "--wait", "2"]
        done = cli("stress", profile, *arguments, TESTBEDCTL_STATE=other)
        assert (done.returncode, time.monotonic() - began < 6) == (4, True), done.stderr
        assert str(run.process.pid) in done.stderr
    finally:
        assert cli("down", "--lab", "second", TESTBEDCTL_STATE=other).returncode == 0
        run.process.send_signal(signal.SIGINT)
        run.end()
