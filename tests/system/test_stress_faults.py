"""What fails in the middle of a trial is noticed within seconds and named; no report gets a silent hole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import cli
from tests.system.measuring import (
    Background,
    calm_profile,
    cameras,
    child_of,
    manifest,
    program,
    sinks,
    status,
    stopped,
    until,
    wait,
)

LAB = "faults"
NOTICED_WITHIN_S = 3.0 + 1.5
"""Three seconds, and the time that the command takes to end its children and itself."""


@pytest.fixture
def profile(untouched: None, state: Path, tmp_path: Path) -> Iterator[Path]:  # noqa: ARG001 - order matters
    done = cli("up", "--lab", LAB)
    assert done.returncode == 0, done.stderr
    yield calm_profile(tmp_path, seconds=30)


def running_trial(profile: Path, *arguments: str) -> Background:
    """A trial whose traffic flows."""
    run = Background("stress", str(profile), "--arm", "none", "--lab", LAB, *arguments)
    until(lambda: cameras(LAB, "service1"), "the first camera")
    return run


def ends_with(run: Background, since: float) -> tuple[int, str]:
    code, _, err = run.end(timeout=30)
    assert time.monotonic() - since < NOTICED_WITHIN_S, err
    return code, err


@pytest.mark.parametrize(
    ("victim", "named"),
    [
        ("prometheus", "prometheus"),
        ("controller", "controller"),
        ("ovs-vswitchd service1/vdpi", "service1/vdpi"),
        ("dpi service1/vdpi", "dpi service1/vdpi"),
        ("agent edge", "agent edge"),
    ],
)
def test_a_killed_program_ends_the_run_with_its_name(
    profile: Path, tmp_path: Path, victim: str, named: str
) -> None:
    run = running_trial(profile)
    os.kill(program(LAB, victim), signal.SIGKILL)
    code, err = ends_with(run, time.monotonic())
    assert code == 5
    assert named in err
    recorded = manifest(tmp_path / "runs")
    assert recorded["status"] == "failed"
    assert named in recorded["cause"]
    assert cli("report").returncode == 3
    again = cli("stress", str(profile), "--lab", LAB)
    assert again.returncode == 5
    assert named in again.stderr


@pytest.mark.parametrize("side", ["server", "client"])
def test_a_killed_iperf3_ends_the_run_and_leaves_the_lab_up(profile: Path, tmp_path: Path, side: str) -> None:
    run = running_trial(profile)
    victims = sinks(LAB, "service1/vsre") if side == "server" else cameras(LAB, "service1")
    os.kill(victims[0], signal.SIGKILL)
    code, err = ends_with(run, time.monotonic())
    assert code == 5
    assert "camera service1/1" in err
    assert side in err
    assert manifest(tmp_path / "runs")["status"] == "failed"
    assert status(LAB)["state"] == "up"
    assert not cameras(LAB, "service1")


def test_a_prometheus_that_hangs_is_noticed(profile: Path) -> None:
    run = running_trial(profile)
    with stopped(program(LAB, "prometheus")):
        code, err = ends_with(run, time.monotonic())
    assert code == 5
    assert "Prometheus" in err


@pytest.mark.parametrize(
    ("victim", "named"),
    [
        ("agent core", "monitoring agent of core"),
        ("agent edge", "monitoring agent of edge"),
        ("dpi service1/vdpi", "service1/vdpi"),
        ("ovs-vswitchd service1/vdpi", "service1/vdpi"),
        ("controller", "controller"),
    ],
)
def test_a_program_that_hangs_leaves_no_silent_hole(
    profile: Path, tmp_path: Path, victim: str, named: str
) -> None:
    """Nobody asks the controller anything while nothing is moved, so it is noticed at the trial's end."""
    short = calm_profile(profile.parent, seconds=8)
    run = running_trial(short)
    pid = program(LAB, victim)
    with stopped(child_of(pid) if victim.startswith("dpi") else pid):
        code, _, err = run.end(timeout=30)
    assert code == 5, err
    assert named in err
    recorded = manifest(tmp_path / "runs")
    assert recorded["status"] == "failed"
    assert named in recorded["cause"]


def test_telemetry_that_pauses_leaves_no_silent_hole(profile: Path) -> None:
    """By the phase of the scrapes it is a hole, and the trial is repeated, or a silence that ends the run."""
    run = running_trial(calm_profile(profile.parent, seconds=8), "--json")
    with stopped(program(LAB, "agent core")):
        wait(2.2)
    code, out, err = run.end(timeout=90)
    if code == 5:
        assert "core" in json.loads(out)["error"]["message"]
        return
    assert code == 0, err
    trials = sorted((Path(json.loads(out)["path"]) / "trials").iterdir())
    records = [json.loads((trial / "trial.json").read_text()) for trial in trials]
    assert records[-1]["status"] == "complete"
    assert records[0]["warnings"], "a pause that nobody is told of"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_marks_the_run_aborted_and_the_lab_is_as_before(
    profile: Path, tmp_path: Path, number: signal.Signals
) -> None:
    rules_before = flows()
    run = running_trial(profile)
    assert flows() != rules_before
    run.process.send_signal(number)
    code, _, _ = run.end(timeout=15)
    assert code == 130
    assert manifest(tmp_path / "runs")["status"] == "aborted"
    assert flows() == rules_before
    assert not cameras(LAB, "service1")
    assert status(LAB)["state"] == "up"


def test_a_killed_stress_reads_aborted_and_the_next_one_finds_a_clean_lab(
    profile: Path, tmp_path: Path
) -> None:
    rules_before = flows()
    run = running_trial(profile)
    run.process.kill()
    run.end(timeout=10)
    until(lambda: not cameras(LAB, "service1"), "the end of the cameras", limit_s=3)
    listed = json.loads(cli("runs", "list", "--json").stdout)
    assert [r["status"] for r in listed["runs"]] == ["aborted"]
    assert flows() != rules_before
    again = cli("stress", str(calm_profile(tmp_path, seconds=4)), "--arm", "none", "--lab", LAB)
    assert again.returncode == 0, again.stderr
    assert flows() == rules_before


def test_a_second_stress_refuses_and_names_the_holder(profile: Path) -> None:
    run = running_trial(profile)
    second = cli("stress", str(profile), "--lab", LAB, "--json")
    assert second.returncode == 4
    error = json.loads(second.stdout)["error"]
    assert str(run.process.pid) in error["message"]
    run.process.send_signal(signal.SIGINT)
    assert run.end(timeout=15)[0] == 130


def test_a_full_disk_is_a_clear_error(profile: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(small)], check=True)
    try:
        short = calm_profile(tmp_path, seconds=4)
        done = cli("stress", str(short), "--arm", "none", "--lab", LAB, TESTBEDCTL_RUNS=str(small))
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert done.returncode == 5, done.stderr
    assert "No space left" in done.stderr
    assert profile.exists()
    assert status(LAB)["state"] == "up"


def test_two_arms_of_one_name_and_unknown_arms_are_refused_before_anything_runs(profile: Path) -> None:
    for arguments in (["--arm", "none", "--arm", "none"], ["--arm", "reactiv"], ["--trials", "0"]):
        assert cli("stress", str(profile), "--lab", LAB, *arguments).returncode == 2
    assert "reactive" in cli("stress", str(profile), "--lab", LAB, "--arm", "reactiv").stderr


def flows() -> str:
    """The rules of the first vAN's switch, without their counters."""
    target = f"/run/testbedctl/{LAB}/ovs/service1.van/ctl.sock"
    argv = ["ovs-appctl", "-t", target, "bridge/dump-flows", "br0"]
    dump = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return "\n".join(sorted(line.partition("priority=")[2] for line in dump.splitlines()))
