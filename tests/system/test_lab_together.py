"""Several labs, and several commands at once, on one host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from testbedctl.backends.local.probe import ping
from tests.system.conftest import cli, started
from tests.system.snapshot import differences, snapshot

pytestmark = pytest.mark.usefixtures("untouched")
RING = Path("/proc/sys/net/core/rmem_default")


def wait_for(running: subprocess.Popen[str], phase: str) -> None:
    assert running.stderr is not None
    while phase not in running.stderr.readline():
        assert running.poll() is None, f"it ended before {phase!r}"


def works(lab: str) -> bool:
    """Whether an echo crosses the lab's data paths."""
    ways = (("service1", 1), ("service2", 2))
    return all(ping(f"tbc.{lab}.{s}.cameras", f"10.{n}.16.1", f"10.{n}.0.1") is not None for s, n in ways)


def test_plan_makes_nothing() -> None:
    before = snapshot()
    shown = cli("up", "--plan", "--lab", "planned", "--json")
    assert shown.returncode == 0
    assert len(json.loads(shown.stdout)["nodes"]) == 12
    table = cli("up", "line", "--plan")
    assert "10.200.0.1" in table.stdout and "nothing was made" in table.stderr
    assert differences(before, snapshot()) == []


def test_a_lab_that_is_up_is_not_made_again() -> None:
    assert cli("up", "line", "--lab", "once").returncode == 0
    again = cli("up", "line", "--lab", "once", "--json")
    assert again.returncode == 2
    error = json.loads(again.stdout)["error"]
    assert error["message"] == "the lab once is up already" and "down --lab once" in error["hint"]
    assert cli("exec", "left", "--", "true").returncode == 0


def test_two_labs_work_side_by_side_and_one_outlives_the_other() -> None:
    before = int(RING.read_text())
    ups = [started("up", "--lab", name) for name in ("first", "second")]
    for up in ups:
        _, said = up.communicate(timeout=60)
        assert up.returncode == 0, said
    raised = int(RING.read_text())
    assert raised > before or before >= 8 * 2**20
    assert works("first") and works("second")
    ambiguous = cli("status")
    assert ambiguous.returncode == 2 and "first, second" in ambiguous.stderr

    assert cli("down", "--lab", "first").returncode == 0
    assert works("second")
    assert json.loads(cli("status", "--json").stdout)["state"] == "up"
    assert int(RING.read_text()) == raised
    assert int(Path("/sys/kernel/rcu_expedited").read_text()) == 0
    assert cli("down", "--lab", "second").returncode == 0
    assert int(RING.read_text()) == before


def test_labs_with_states_in_different_places_share_the_settings(tmp_path: Path) -> None:
    before = int(RING.read_text())
    elsewhere = {"TESTBEDCTL_STATE": str(tmp_path / "elsewhere")}
    assert cli("up", "line", "--lab", "here").returncode == 0
    assert cli("up", "line", "--lab", "there", **elsewhere).returncode == 0
    raised = int(RING.read_text())
    assert cli("down", "--lab", "here").returncode == 0
    assert int(RING.read_text()) == raised
    assert cli("down", "--lab", "there", **elsewhere).returncode == 0
    assert int(RING.read_text()) == before


def test_the_second_of_two_ups_names_the_first_or_waits_for_it() -> None:
    first = started("up", "--lab", "wanted")
    wait_for(first, "switches")
    refused = cli("up", "--lab", "wanted")
    assert refused.returncode == 4
    assert f"held by 'testbedctl up --lab' (pid {first.pid})" in refused.stderr
    busy = cli("down", "--lab", "wanted")
    assert busy.returncode == 4 and str(first.pid) in busy.stderr
    waited = cli("up", "--lab", "wanted", "--wait", "60")
    assert waited.returncode == 2 and "is up already" in waited.stderr
    first.communicate(timeout=30)
    assert first.returncode == 0
    assert works("wanted")


def test_waiting_ends_when_its_time_is_over() -> None:
    first = started("up", "--lab", "wanted")
    wait_for(first, "switches")
    waited = cli("up", "--lab", "wanted", "--wait", "0.1")
    assert waited.returncode == 4 and str(first.pid) in waited.stderr
    first.communicate(timeout=30)


def test_down_of_all_goes_on_past_a_lab_that_is_busy() -> None:
    assert cli("up", "line", "--lab", "aaa-idle").returncode == 0
    assert cli("up", "line", "--lab", "zzz-idle").returncode == 0
    busy = started("up", "--lab", "mmm-busy")
    wait_for(busy, "switches")
    down = cli("down", "--all")
    busy.communicate(timeout=30)
    assert down.returncode == 4 and str(busy.pid) in down.stderr
    assert [p.name for p in Path("/run/testbedctl").iterdir() if p.is_dir()] == ["mmm-busy"]
