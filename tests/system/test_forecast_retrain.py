"""A model retrained from the Prometheus of a lab that is up, and the balancer that then decides with it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.system.conftest import cli
from tests.system.measuring import calm_profile
from tests.unit.forecast.trained import NO_TORCH, trained

LAB = "retrain"
ENOUGH_S = 45
"""Eight VNFs, each judged on the newest 20 % of its seconds."""


@pytest.fixture
def beginning(tmp_path: Path) -> Path:
    """A model that has learned nothing."""
    pytest.importorskip("torch", reason=NO_TORCH)
    from testbedctl.forecast.runtime.export import export

    path = tmp_path / "begin.onnx"
    export(trained(window=5, epochs=3, options={"cells": 8, "dense": (16,)}), path, metrics={})
    return path


@pytest.mark.usefixtures("untouched")
def test_from_a_lab_s_telemetry_to_an_arm(beginning: Path, tmp_path: Path) -> None:
    up = cli("up", "--lab", LAB)
    assert up.returncode == 0, up.stderr
    begun = time.monotonic()
    store = tmp_path / "models"
    asked = ("forecast", "retrain", "--lab", LAB, "--model", str(beginning), "--output", str(store), "--json")

    early = cli(*asked, "--since", "5s")
    assert early.returncode == 3, early.stdout + early.stderr
    assert "nothing was promoted" in json.loads(early.stdout)["error"]["message"]
    assert not store.exists()

    profile = calm_profile(tmp_path, seconds=30)
    run = cli("stress", str(profile), "--lab", LAB, "--arm", "none")
    assert run.returncode == 0, run.stderr
    while time.monotonic() < begun + ENOUGH_S:
        time.sleep(1)  # telemetry takes the time that it takes
    done = cli(*asked, "--since", "2m", "--promote-if-better")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    learned = document["telemetry"]
    names = {f"service{number}/{vnf}" for number in (1, 2) for vnf in ("van", "vdpi", "vsre", "vwapp")}
    assert set(learned["vnfs"]) == names
    assert (learned["lab"], learned["step_s"]) == (LAB, pytest.approx(1, abs=0.01))
    assert learned["rows"] > 8 * ENOUGH_S * 0.7
    assert document["promoted"], document  # anything is better than weights at random

    model = store / "current" / "model.onnx"
    arm = f"reactive:forecaster={model}"
    stressed = cli("stress", str(calm_profile(tmp_path, seconds=10)), "--lab", LAB, "--arm", arm, "--json")
    assert stressed.returncode == 0, stressed.stdout + stressed.stderr
    refused = cli("stress", str(profile), "--lab", LAB, "--arm", f"reactive:forecaster={tmp_path}/none.onnx")
    assert refused.returncode == 2, refused.stderr
