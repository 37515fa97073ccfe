"""The main job: loss without a quota, throughput before and after sharing, and what watching costs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.command import LAB, lab, own_state, stress
from benchmarks.table import Row, spread
from testbedctl.host import cgroup
from testbedctl.spec.loader import find
from testbedctl.telemetry.cgroups import cpu_seconds
from testbedctl.telemetry.config import Cgroups

FULL_RATE = """
name: full-rate
background_mbps: 2
shape: {kind: hold, rate_mbps: 600, duration_s: 10, step_s: 10}
"""
TRIALS = 5


def measure() -> list[Row]:
    """All figures of the default testbed under load."""
    with own_state() as directory:
        return [*_without_quota(directory), *_before_and_after()]


def _without_quota(directory: Path) -> list[Row]:
    """vAN → vDPI (switch and nDPI) → tunnel → sink at 600 Mb/s, telemetry on, two cores for the vDPI."""
    spec = directory / "no-quota.yaml"
    text = find("slice-sharing", "testbed").read_text()
    assert "inspector: {vcpus: 0.35" in text
    spec.write_text(text.replace("inspector: {vcpus: 0.35", "inspector: {vcpus: 2.0"))
    profile = directory / "full-rate.yaml"
    profile.write_text(FULL_RATE)
    with lab(spec):
        report = stress(profile, "--arm", "none", "--trials", str(TRIALS))
    loss = _arm(report, "none")["steps"][0]["loss_ratio"]
    reached = _percent(loss)
    return [
        Row("loss at 600 Mb/s, 1,400-byte datagrams, no quota", "≤ 0.1 %", reached, loss["median"] <= 0.001)
    ]


def _before_and_after() -> list[Row]:
    with lab():
        watch = _Overhead()
        watch.start()
        report = stress("quick", "--arm", "none", "--arm", "reactive", "--trials", str(TRIALS), "--seed", "7")
        used = watch.stop()
    before = _arm(report, "none")["steps"][-1]["delivered_ratio"]
    after = _arm(report, "reactive")["steps"][-1]
    settled, whole = after["settled_delivered_ratio"], after["delivered_ratio"]
    took = [
        d["applied_after_s"]
        for d in _arm(report, "reactive")["decisions"]
        if d["applied_after_s"] is not None
    ]
    return [
        Row("delivered at 600 Mb/s, before", "< 80 %", _percent(before), before["median"] < 0.8),
        Row(
            "delivered at 600 Mb/s, after, share in force",
            "≥ 99 %",
            _percent(settled),
            settled["median"] >= 0.99,
        ),
        Row("the same step whole, with its transition", "", _percent(whole), None),
        Row(
            "sample that shows the overload to the switch's barrier reply",
            "≤ 1.1 s",
            spread(took, "s", 3),
            max(took) <= 1.1,
        ),
        Row(
            "telemetry and controller at 1 s, under this load", "≤ 5 % of a core", f"{used:.1%}", used <= 0.05
        ),
    ]


def _arm(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(arm for arm in report["arms"] if arm["name"] == name)


def _percent(value: dict[str, Any]) -> str:
    """A measured ratio as the report has it: median and its interval."""
    low, middle, high = (f"{100 * value[key]:.2f}" for key in ("low", "median", "high"))
    return f"{middle} % [{low}, {high}] ({value['interval']}, n={value['n']})"


class _Overhead:
    """CPU of the management node's control group: controller, agents, Prometheus, node exporter."""

    def __init__(self) -> None:
        self._group = Cgroups.of(cgroup.detect(), f"testbedctl/{LAB}/mgmt")

    def start(self) -> None:
        """Begin to count."""
        self._begun_s, self._used_s = time.monotonic(), cpu_seconds(self._group)

    def stop(self) -> float:
        """Cores used on average since ``start``."""
        return (cpu_seconds(self._group) - self._used_s) / (time.monotonic() - self._begun_s)
