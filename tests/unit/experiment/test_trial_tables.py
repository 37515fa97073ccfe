"""The tables of a trial, from rows and snapshots made up by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from testbedctl.backends.local.planner import plan
from testbedctl.experiment.run import lay_out
from testbedctl.experiment.tables import TrialTables
from testbedctl.spec.loader import load_testbed
from testbedctl.spec.profile import Profile
from testbedctl.telemetry.prometheus import Sample
from testbedctl.traffic.hops import HopCounters, LaneCounters

PLAN = plan(load_testbed("slice-sharing"))
PROFILE = Profile.model_validate(
    {
        "name": "two",
        "background_mbps": 2,
        "shape": {"kind": "steps", "rates_mbps": [10, 30], "step_s": 2},
    }
)
SCHEDULE = lay_out(PLAN, PROFILE, seed=1)


def flow(camera: str, second: int, sent: int, delivered: int) -> dict[str, Any]:
    return {
        "camera": camera,
        "service": camera.split("/")[0],
        "second": second,
        "step": SCHEDULE.step_at(second),
        "sent_bytes": sent * 1000,
        "sent_packets": sent,
        "delivered_bytes": delivered * 1000,
        "delivered_packets": delivered,
        "lost_packets": sent - delivered,
        "jitter_s": 0.001,
    }


@pytest.fixture
def tables() -> TrialTables:
    rows = [flow("service1/1", s, 100, 100 if s < 2 else 80) for s in range(4)]
    rows += [flow("service2/1", s, 10, 10) for s in range(4)]
    return TrialTables(PLAN, SCHEDULE, rows, started_unix_s=1000.0)


def test_steps_say_what_was_offered_sent_and_delivered(tables: TrialTables) -> None:
    rows = {(r["step"], r["service"]): r for r in tables.steps()}
    assert rows[1, "service1"]["offered_bps"] == 10e6
    assert rows[2, "service1"]["offered_bps"] == 30e6
    assert rows[1, "service1"]["sent_bps"] == 100 * 1000 * 8
    assert rows[1, "service1"]["loss_ratio"] == 0
    assert rows[2, "service1"]["loss_ratio"] == pytest.approx(0.2)
    assert rows[2, "service2"]["offered_bps"] == 2e6


def counters(sent: int, taken: int, delivered: int) -> HopCounters:
    lanes = {
        "service1/vdpi": LaneCounters(van_tx=sent, vdpi_rx=sent, vdpi_flow=taken, tunnel_tx=delivered),
        "service2/vdpi": LaneCounters(van_tx=0, vdpi_rx=0, vdpi_flow=0, tunnel_tx=0),
    }
    return HopCounters(sent, sent, sent, lanes, delivered, 0)


def test_hops_of_the_whole_trial_and_of_each_step(tables: TrialTables) -> None:
    before, middle, after = counters(0, 0, 0), counters(200, 200, 200), counters(400, 360, 360)
    quiet = counters(0, 0, 0)
    measured = SimpleNamespace(
        before={"service1": before, "service2": quiet},
        at_steps=[{"service1": middle, "service2": counters(20, 20, 20)}],
        after={"service1": after, "service2": counters(40, 40, 40)},
    )
    rows = tables.hops(measured, [], counted=True)  # type: ignore[arg-type]
    lost = {(r["step"], r["service"], r["hop"]): r["packets"] for r in rows}
    assert lost[0, "service1", "vdpi_ring"] == 40
    assert lost[1, "service1", "vdpi_ring"] == 0
    assert lost[2, "service1", "vdpi_ring"] == 40
    assert sum(v for (step, service, _), v in lost.items() if step == 0 and service == "service2") == 0


def test_tcp_has_no_losses_to_attribute(tables: TrialTables) -> None:
    still = {"service1": counters(0, 0, 0), "service2": counters(0, 0, 0)}
    measured = SimpleNamespace(before=still, at_steps=[still], after=still)
    rows = tables.hops(measured, [], counted=False)  # type: ignore[arg-type]
    assert {r["packets"] for r in rows} == {None}


def test_usage_is_of_the_second_before_its_sample(tables: TrialTables) -> None:
    labels = {"service": "service1", "vnf": "vdpi"}
    samples = []
    for at_s, cpu_s in ((999.5, 0.0), (1000.5, 0.07), (1002.4, 0.5)):
        samples.append(Sample("vnf_cpu_seconds_total", labels, at_s, cpu_s))
        samples.append(Sample("vnf_cpu_quota_cores", labels, at_s, 0.35))
    rows = tables.vnfs(samples)
    assert [round(r["at_s"], 3) for r in rows] == [0.5, 2.4]
    assert rows[0]["cpu_ratio"] == pytest.approx(0.2)
    assert rows[0]["slice_cpu_ratio"] == pytest.approx(0.07 / PLAN.vnfs["service1/vdpi"].slice_cpu_cores)
    assert rows[0]["step"] == rows[1]["step"] == 1  # most of that second lay in the first step
    assert rows[0]["ram_ratio"] is None
