"""The tables of a trial, from rows and snapshots made up by hand."""

from __future__ import annotations

from typing import Any

import pytest

from testbedctl.backends.local.planner import plan
from testbedctl.errors import RunFailed
from testbedctl.experiment.counters import Mark, Snapshot
from testbedctl.experiment.drops import DropWatch
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


class Quota:
    """Throttled in the second step only, and only the first vDPI."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self) -> Snapshot:
        raise AssertionError("the snapshots are given")

    def throttled_s(self, vdpi: str) -> float:
        self.reads += vdpi == "service1/vdpi"
        return 1000 if vdpi == "service1/vdpi" and self.reads > 2 else 0


def marks(*snapshots: Snapshot) -> tuple[list[Mark], DropWatch]:
    """Snapshots at the borders of steps of two seconds, as the trial notes them."""
    watch = DropWatch(Quota())
    found = [Mark(2.0 * n, each) for n, each in enumerate(snapshots)]
    for mark in found:
        watch.note(mark.at_s, mark.ways)
    return found, watch


def test_hops_of_the_whole_trial_and_of_each_step(tables: TrialTables) -> None:
    at, drops = marks(
        {"service1": counters(0, 0, 0), "service2": counters(0, 0, 0)},
        {"service1": counters(200, 200, 200), "service2": counters(20, 20, 20)},
        {"service1": counters(400, 360, 360), "service2": counters(40, 40, 40)},
    )
    rows = tables.hops(at, drops, counted=True)
    lost = {(r["step"], r["service"], r["hop"]): r["packets"] for r in rows}
    assert lost[0, "service1", "vdpi_throttled"] == 40
    assert lost[1, "service1", "vdpi_throttled"] == 0
    assert lost[2, "service1", "vdpi_throttled"] == 40
    assert sum(v for (step, service, _), v in lost.items() if step == 0 and service == "service2") == 0


def test_each_step_is_split_by_its_own_drops(tables: TrialTables) -> None:
    """Lost in the first step with CPU time to spare, in the second while the quota was exhausted."""
    tables.flows[0]["delivered_packets"] -= 10
    quiet = counters(0, 0, 0)
    at, drops = marks(
        {"service1": quiet, "service2": quiet},
        {"service1": counters(200, 190, 190), "service2": quiet},
        {"service1": counters(400, 350, 350), "service2": quiet},
    )
    lost = {
        (r["step"], r["hop"]): r["packets"]
        for r in tables.hops(at, drops, counted=True)
        if r["service"] == "service1"
    }
    assert (lost[1, "vdpi_ring"], lost[1, "vdpi_throttled"]) == (10, 0)
    assert (lost[2, "vdpi_ring"], lost[2, "vdpi_throttled"]) == (0, 40)
    assert (lost[0, "vdpi_ring"], lost[0, "vdpi_throttled"]) == (10, 40)


def test_a_counter_that_fell_ends_the_run_with_a_sentence(tables: TrialTables) -> None:
    high, low = counters(200, 200, 200), counters(100, 100, 100)
    at, drops = marks(*({"service1": way, "service2": way} for way in (high, low, high)))
    with pytest.raises(RunFailed, match="losses of service1 cannot be told apart: counters fell"):
        tables.hops(at, drops, counted=True)


def test_tcp_has_no_losses_to_attribute(tables: TrialTables) -> None:
    still = {"service1": counters(0, 0, 0), "service2": counters(0, 0, 0)}
    at, drops = marks(still, still, still)
    assert {r["packets"] for r in tables.hops(at, drops, counted=False)} == {None}


LABELS = {"service": "service1", "vnf": "vdpi", "job": "agent-edge", "instance": "a:1"}


def scrape(at_s: float, cpu_s: float, took_s: float = 0.01) -> list[Sample]:
    return [
        Sample("vnf_cpu_seconds_total", LABELS, at_s, cpu_s),
        Sample("vnf_cpu_quota_cores", LABELS, at_s, 0.35),
        Sample("scrape_duration_seconds", {"job": "agent-edge", "instance": "a:1"}, at_s, took_s),
    ]


def test_usage_is_that_since_the_sample_before(tables: TrialTables) -> None:
    rows = tables.vnfs([*scrape(999.5, 0.0), *scrape(1000.5, 0.07), *scrape(1001.5, 0.5)])
    assert [round(r["at_s"], 3) for r in rows] == [0.5, 1.5]
    assert rows[0]["cpu_ratio"] == pytest.approx(0.2)
    assert rows[0]["slice_cpu_ratio"] == pytest.approx(0.07 / PLAN.vnfs["service1/vdpi"].slice_cpu_cores)
    assert rows[0]["ram_ratio"] is None


def test_only_what_lies_wholly_inside_a_step_counts_for_it(tables: TrialTables) -> None:
    """Steps are of two seconds, and the traffic ends after four."""
    times = (999.5, 1000.5, 1001.5, 1002.5, 1003.5, 1004.4)
    rows = tables.vnfs([s for n, at_s in enumerate(times) for s in scrape(at_s, n / 10)])
    assert [(round(r["at_s"], 3), r["step"]) for r in rows] == [
        (0.5, 0),
        (1.5, 1),
        (2.5, 0),
        (3.5, 2),
        (4.4, 0),
    ]


def test_a_slow_scrape_gives_no_row_and_the_next_one_spans_it(tables: TrialTables) -> None:
    rows = tables.vnfs([*scrape(1000.0, 0.0), *scrape(1001.0, 0.34, took_s=0.9), *scrape(1002.0, 0.35)])
    assert [(r["at_s"], r["step"]) for r in rows] == [(2.0, 1)]
    assert rows[0]["cpu_ratio"] == pytest.approx(0.5)


def test_a_metric_that_a_service_names_itself_is_no_scrape_of_its_vnf(tables: TrialTables) -> None:
    own = {"service": "service1", "vnf": "vdpi", "job": "extra-service1/frames", "instance": "b:2"}
    frames = [Sample("frames_total", own, at_s, 7) for at_s in (1000.6, 1001.6)]
    rows = tables.vnfs([*scrape(1000.0, 0.0), *scrape(1001.0, 0.07), *scrape(1002.0, 0.14), *frames])
    assert [(r["at_s"], r["cpu_ratio"]) for r in rows] == [
        (1.0, pytest.approx(0.2)),
        (2.0, pytest.approx(0.2)),
    ]
