"""When packets were lost at a vDPI's input, from readings made up by hand."""

from __future__ import annotations

from testbedctl.experiment.counters import Snapshot
from testbedctl.experiment.drops import DropWatch
from testbedctl.traffic.hops import DropSample, HopCounters, LaneCounters


def snapshot(**missed: tuple[int, int]) -> Snapshot:
    """By service, what each of two vDPIs has received and not taken."""
    return {service: HopCounters(0, 0, 0, _lanes(*counts), 0, 0) for service, counts in missed.items()}


def _lanes(a: int, b: int) -> dict[str, LaneCounters]:
    return {"a/vdpi": LaneCounters(0, 100 + a, 100, 0), "b/vdpi": LaneCounters(0, 100 + b, 100, 0)}


class Counters:
    """Snapshots one after the other, and which vDPI is throttled."""

    def __init__(self, *snapshots: Snapshot):
        self.snapshots = list(snapshots)
        self.throttled = {"a/vdpi": 0, "b/vdpi": 0}

    def read(self) -> Snapshot:
        return self.snapshots.pop(0)

    def throttled_s(self, vdpi: str) -> float:
        return self.throttled[vdpi]


def test_what_was_lost_before_the_first_poll_counts() -> None:
    watch = DropWatch(Counters(snapshot(s=(7, 0))))
    watch.note(0.0, snapshot(s=(0, 0)))
    assert watch.poll(1.0)
    assert watch.samples("s", 0.0, 1.0) == [DropSample(7, False)]


def test_a_reading_is_due_once_a_second() -> None:
    watch = DropWatch(Counters(snapshot(s=(0, 0)), snapshot(s=(0, 0))))
    assert [watch.poll(at_s) for at_s in (0.0, 0.5, 0.99, 1.0, 1.5)] == [True, False, False, True, False]


def test_samples_are_of_one_service_and_its_vdpis() -> None:
    """The other service's losses at another vDPI, which was throttled, say nothing of this one's."""
    counters = Counters()
    watch = DropWatch(counters)
    watch.note(0.0, snapshot(s=(0, 0), t=(0, 0)))
    counters.throttled["b/vdpi"] = 1000
    watch.note(1.0, snapshot(s=(5, 0), t=(0, 9)))
    assert watch.samples("s", 0.0, 1.0) == [DropSample(5, False)]
    assert watch.samples("t", 0.0, 1.0) == [DropSample(9, True)]


def test_samples_are_of_the_span_that_is_asked_for() -> None:
    counters = Counters()
    watch = DropWatch(counters)
    watch.note(0.0, snapshot(s=(0, 0)))
    watch.note(1.0, snapshot(s=(4, 0)))
    counters.throttled["a/vdpi"] = 1000
    watch.note(2.0, snapshot(s=(10, 0)))
    assert watch.samples("s", 0.0, 1.0) == [DropSample(4, False)]
    assert watch.samples("s", 1.0, 2.0) == [DropSample(6, True)]
    assert len(watch.samples("s", 0.0, 2.0)) == 2


def test_a_count_that_came_late_is_no_loss() -> None:
    watch = DropWatch(Counters())
    for at_s, missed in enumerate((0, 300, 20, 250, 20)):
        watch.note(float(at_s), snapshot(s=(missed, 0)))
    assert watch.samples("s", 0.0, 4.0) == [DropSample(20, False)]
