"""Whole runs on a real lab: what is measured, what is moved, and what the record says about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.system.conftest import CHECKOUT, cli
from tests.system.measuring import (
    Background,
    calm_profile,
    cameras,
    child_of,
    program,
    status,
    stopped,
    until,
    wait,
)

LAB = "runs"

CALIBRATION_MBPS = 60
"""For the load of a vDPI below its quota."""
FLOOD_MBPS = 400
"""More than a vDPI of ``small`` inspects on any machine."""


def small(directory: Path, name: str = "slice-sharing") -> Path:
    """A testbed whose vDPIs have less CPU, so that filling them leaves most of the host idle.

    At 600 Mb/s the packets keep two cores busy, and what is seen depends on how fast these happen to be.
    """
    text = (CHECKOUT / f"profiles/testbeds/{name}.yaml").read_text()
    assert text.count("vcpus: 0.35") == 1
    spec = directory / f"{name}.yaml"
    spec.write_text(text.replace("vcpus: 0.35", "vcpus: 0.2"))
    return spec


def up(spec: str | Path = "slice-sharing") -> None:
    done = cli("up", str(spec), "--lab", LAB)
    assert done.returncode == 0, done.stderr


def stress(profile: Path, *arguments: str) -> Path:
    """Run a profile and return the run's directory."""
    done = cli("stress", str(profile), "--lab", LAB, "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(json.loads(done.stdout)["path"])


def report(run: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(cli("report", str(run), "--json").stdout)
    return document


def alone(directory: Path, rate_mbps: float) -> dict[str, Any]:
    """Ten seconds without balancing: what this machine does now. Its speed may double in minutes."""
    profile = directory / "alone.yaml"
    shape = f"{{kind: hold, rate_mbps: {rate_mbps}, duration_s: 10, step_s: 10}}"
    profile.write_text(f"name: alone\nbackground_mbps: 2\nwarm_up_s: 1\nshape: {shape}\n")
    step: dict[str, Any] = report(stress(profile, "--arm", "none"))["arms"][0]["steps"][0]
    return step


def overload(directory: Path) -> Path:
    """A profile whose last step is twice what one vDPI can inspect, and two can."""
    capacity = FLOOD_MBPS * alone(directory, FLOOD_MBPS)["delivered_ratio"]["median"]
    rates = [round(part * capacity) for part in (0.05, 0.5, 2)]
    path = directory / "overload.yaml"
    path.write_text(
        "name: overload\nbackground_mbps: 2\nwarm_up_s: 1\n"
        f"shape: {{kind: steps, rates_mbps: {rates}, step_s: 6}}\n"
    )
    return path


def mbps_at(usage: float, directory: Path) -> float:
    """The rate at which the first vDPI uses this part of its quota, as far as its cost is linear."""
    cpu = alone(directory, CALIBRATION_MBPS)["vnf_cpu_ratio"].values()
    return CALIBRATION_MBPS * usage / max(float(vnf["median"]) for vnf in cpu)


SEEN_S = 2.5
"""A decision is made of the samples of so many seconds before it."""


def settled(step: dict[str, Any]) -> float:
    """The ratio delivered after the step's last move; of the whole step if there was none."""
    return float((step["settled_delivered_ratio"] or step["delivered_ratio"])["median"])


def hops(run: Path, trial: str) -> list[dict[str, Any]]:
    """Losses of the whole trial, per service and hop."""
    rows = pq.read_table(run / "trials" / trial / "hops.parquet").to_pylist()
    return [row for row in rows if row["step"] == 0]


@pytest.fixture
def lab(untouched: None) -> Iterator[str]:  # noqa: ARG001 - taken down by it
    up()
    yield LAB


@pytest.mark.usefixtures("untouched")
def test_sharing_delivers_what_one_vdpi_cannot(tmp_path: Path) -> None:
    up(small(tmp_path))
    profile = overload(tmp_path)
    run = stress(profile, "--arm", "none", "--arm", "reactive", "--trials", "3", "--seed", "3")
    document = report(run)
    arms = {arm["name"]: arm for arm in document["arms"]}
    before, after = (arms[name]["steps"][-1] for name in ("none", "reactive"))
    assert before["offered_bps"] == after["offered_bps"]
    assert before["delivered_ratio"]["median"] < 0.9
    assert settled(after) > before["delivered_ratio"]["median"] + 0.1
    shares = [d for d in arms["reactive"]["decisions"] if d["action"] == "share"]
    assert shares
    assert all(d["target"] == "service2/vdpi" and d["applied_after_s"] > 0 for d in shares)
    assert (
        after["vnf_cpu_ratio"]["service2/vdpi"]["median"]
        > 3 * before["vnf_cpu_ratio"]["service2/vdpi"]["median"]
    )
    assert not arms["none"]["decisions"]
    assert status(LAB)["shares"] == []
    _losses_add_up(run)
    _engines_saw_everything(run)
    _report_is_reproducible(run, tmp_path)


def _losses_add_up(run: Path) -> None:
    """The hops sum to sent − delivered, and hardly anything is unattributed."""
    for trial in (run / "trials").iterdir():
        flows = pq.read_table(trial / "flows.parquet").to_pylist()
        for service in ("service1", "service2"):
            its = [f for f in flows if f["service"] == service]
            sent = sum(f["sent_packets"] for f in its)
            delivered = sum(f["delivered_packets"] for f in its)
            lost = {h["hop"]: h["packets"] for h in hops(run, trial.name) if h["service"] == service}
            assert sum(lost.values()) == sent - delivered
            assert abs(lost["unattributed"]) <= 0.001 * sent


def _engines_saw_everything(run: Path) -> None:
    for trial in (run / "trials").iterdir():
        inspected = json.loads((trial / "trial.json").read_text())["dpi"]
        assert inspected["service1/vdpi"]["forwarded"] > 50_000
        assert all(vdpi["ratio"] >= 0.99 for vdpi in inspected.values())


def _report_is_reproducible(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / run.name
    moved.parent.mkdir()
    run.rename(moved)
    first, second = (cli("report", str(moved), "--format", "md").stdout for _ in range(2))
    assert first == second
    assert "none" in first
    figures = {p.name for p in (moved / "figures").iterdir()}
    assert {"figure-14a.png", "figure-14b.svg", "figure-15a.png", "figure-15b.svg"} <= figures


@pytest.mark.usefixtures("untouched")
def test_the_same_arms_run_on_other_names_and_four_vdpis(tmp_path: Path) -> None:
    up(small(tmp_path, "four-vdpis"))
    run = stress(overload(tmp_path), "--arm", "none", "--arm", "reactive")
    arms = {arm["name"]: arm for arm in report(run)["arms"]}
    shares = [d for d in arms["reactive"]["decisions"] if d["action"] == "share"]
    assert shares
    stressed = shares[0]["vnf"]
    assert all(d["target"] != stressed for d in shares)
    before, after = (arms[name]["steps"][-1] for name in ("none", "reactive"))
    assert settled(after) > before["delivered_ratio"]["median"]


@pytest.mark.usefixtures("untouched")
def test_a_constant_overload_is_shared_and_nothing_is_given_back(tmp_path: Path) -> None:
    """One share, as long as the machine keeps its speed; what comes then is borne out by the usage."""
    up(small(tmp_path))
    constant = tmp_path / "constant.yaml"
    rate = round(mbps_at(0.85, tmp_path))
    constant.write_text(
        f"name: constant\nshape: {{kind: hold, rate_mbps: {rate}, duration_s: 120, step_s: 10}}\n"
    )
    run = stress(constant, "--arm", "reactive")
    _only_shares_of_an_overload(run)


@pytest.mark.usefixtures("untouched")
def test_a_swing_about_the_threshold_gives_no_ping_pong(tmp_path: Path) -> None:
    """After a clear overload, ±15 % about the rate at which this machine's vDPI passes its threshold."""
    up(small(tmp_path))
    swing = tmp_path / "swing.yaml"
    threshold = mbps_at(0.6, tmp_path)
    rates = [round(threshold * factor) for factor in (2, *(0.85, 1.15) * 4)]
    swing.write_text(f"name: swing\nshape: {{kind: steps, rates_mbps: {rates}, step_s: 8}}\n")
    run = stress(swing, "--arm", "reactive")
    _only_shares_of_an_overload(run)


def _only_shares_of_an_overload(run: Path) -> None:
    """At least one share, none but while the vDPI was over its threshold, and no release."""
    (arm,) = report(run)["arms"]
    moves = [d for d in arm["decisions"] if d["action"] in ("share", "release")]
    assert {move["action"] for move in moves} == {"share"}
    (trial,) = (run / "trials").iterdir()
    usage = [
        row for row in pq.read_table(trial / "vnfs.parquet").to_pylist() if row["vnf"] == "service1/vdpi"
    ]
    for move in moves:
        seen = [r["cpu_ratio"] for r in usage if move["at_s"] - SEEN_S <= r["at_s"] <= move["at_s"]]
        assert max(seen) >= move["threshold"], move["reason"]


@pytest.mark.usefixtures("untouched")
def test_the_three_kinds_of_inspection(tmp_path: Path) -> None:
    spec = Path(tmp_path / "kinds.yaml")
    text = cli("init", str(tmp_path / "start"))
    assert text.returncode == 0, text.stderr
    lines = (tmp_path / "start" / "slice-sharing.yaml").read_text()
    spec.write_text(lines.replace("dpi: payload", "dpi: off", 1).replace("dpi: payload", "dpi: port", 1))
    up(spec)
    run = stress(calm_profile(tmp_path, seconds=4), "--arm", "none")
    (trial,) = (run / "trials").iterdir()
    inspected = json.loads((trial / "trial.json").read_text())["dpi"]
    assert list(inspected) == ["service2/vdpi"]
    labels = [
        json.loads(row["labels"])
        for row in pq.read_table(trial / "telemetry.parquet").to_pylist()
        if row["metric"] == "vnf_dpi_packets_total"
    ]
    assert {label["protocol"] for label in labels if label["camera"] == "10.2.16.2"} == {"avt-profile-1"}


@pytest.mark.usefixtures("lab")
def test_tcp_takes_the_measured_path(tmp_path: Path) -> None:
    profile = calm_profile(tmp_path, seconds=4)
    profile.write_text(profile.read_text() + "traffic: tcp\n")
    run = stress(profile, "--arm", "none")
    step = report(run)["arms"][0]["steps"][-1]
    assert step["delivered_ratio"]["median"] > 0.95
    (trial,) = (run / "trials").iterdir()
    forwarded = json.loads((trial / "trial.json").read_text())["dpi"]["service1/vdpi"]["forwarded"]
    assert forwarded > 4 * 10e6 / 8 / 1500 * 0.9


@pytest.mark.usefixtures("lab")
def test_a_capture_is_replayed(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.pcap"
    profile = calm_profile(tmp_path, seconds=6)
    run = Background("stress", str(profile), "--arm", "none", "--lab", LAB)
    until(lambda: cameras(LAB, "service1"), "the first camera")
    arguments = ["service1/vdpi", "-o", str(recorded), "-i", "van1", "-c", "200", "--lab", LAB]
    assert cli("capture", *arguments, "--filter", "udp and dst port 5004").returncode == 0
    assert run.end()[0] == 0
    replay = calm_profile(tmp_path, seconds=4)
    replay.write_text(replay.read_text() + f"traffic: pcap\npcap: {recorded}\n")
    step = report(stress(replay, "--arm", "none"))["arms"][0]["steps"][-1]
    assert step["delivered_ratio"]["median"] > 0.95
    assert step["loss_ratio"]["median"] < 0.01


@pytest.mark.usefixtures("lab")
def test_a_trial_with_a_blind_engine_is_invalid_and_repeated(tmp_path: Path) -> None:
    profile = tmp_path / "fast.yaml"
    profile.write_text(
        "name: fast\nbackground_mbps: 1\nwarm_up_s: 0\n"
        "shape: {kind: hold, rate_mbps: 250, duration_s: 6, step_s: 3}\n"
    )
    run = Background("stress", str(profile), "--arm", "none", "--lab", LAB, "--json")
    until(lambda: len(cameras(LAB, "service1")) >= 5, "the cameras")
    with stopped(child_of(program(LAB, "dpi service1/vdpi"))):
        wait(1.7)  # long enough to overflow its ring, too short to count as dead
    code, out, err = run.end(timeout=120)
    assert code == 0, err
    assert "invalid" in err
    directory = Path(json.loads(out)["path"])
    statuses = [
        json.loads((t / "trial.json").read_text())["status"] for t in sorted((directory / "trials").iterdir())
    ]
    assert statuses == ["invalid", "complete"]
    assert report(directory)["arms"][0]["trials"] == 1
