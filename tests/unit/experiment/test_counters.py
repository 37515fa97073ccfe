"""What of a lab's counters cannot be read is a sentence, and counts that never rest are not believed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbedctl.backends.local.planner import plan
from testbedctl.errors import RunFailed
from testbedctl.experiment import counters
from testbedctl.experiment.counters import CounterReader, Inspected
from testbedctl.host.cgroup import CONTROLLERS_V1, Hierarchy
from testbedctl.spec.loader import load_testbed

PLAN = plan(load_testbed("slice-sharing"))


@pytest.fixture
def reader(tmp_path: Path) -> CounterReader:
    """Of a lab that has files and nothing else."""
    lab: Any = SimpleNamespace(
        plan=PLAN,
        runtime=tmp_path,
        hierarchy=Hierarchy(1, dict.fromkeys(CONTROLLERS_V1, tmp_path)),
        dpi_stats=lambda node: tmp_path / f"{node.replace('/', '.')}.json",
    )
    return CounterReader(lab)


def engine(directory: Path, vdpi: str, packets: int, age_s: float = 0.0) -> None:
    seen = {"camera": "c", "protocol": "p", "packets": packets, "bytes": 0}
    document = {
        "schema": "testbedctl.dpi/1",
        "heartbeat_unix_s": time.time() - age_s,
        "classes": [seen],
        "dropped_packets": 0,
    }
    (directory / f"{vdpi}.vdpi.json").write_text(json.dumps(document))


def test_an_engine_that_writes_nothing_or_nothing_new_is_named(reader: CounterReader, tmp_path: Path) -> None:
    engine(tmp_path, "service1", 5)
    with pytest.raises(RunFailed, match="inspection engine of service2/vdpi"):
        reader.inspected()
    engine(tmp_path, "service2", 6)
    assert reader.inspected() == {"service1/vdpi": 5, "service2/vdpi": 6}
    engine(tmp_path, "service1", 5, age_s=60)
    with pytest.raises(RunFailed, match=r"service1/vdpi .*heartbeat is 60\.\d s old"):
        reader.inspected()
    (tmp_path / "service1.vdpi.json").write_text('{"schema": "testbedctl.dpi/1"}')
    with pytest.raises(RunFailed, match="service1/vdpi"):
        reader.inspected()


def test_a_switch_that_is_not_there_or_refuses_is_named(
    reader: CounterReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunFailed, match="the switch of service1/van does not answer"):
        reader.read()

    class Refusal:
        def __init__(self, *_: object, **__: object):
            pass

        def answer(self, _: float) -> str:
            raise ValueError("the switch refuses: no such bridge")

    monkeypatch.setattr(counters, "ControlQuery", Refusal)
    with pytest.raises(RunFailed, match=r"switch of service1/van .*no such bridge"):
        reader.read()


def test_answers_without_the_counters_are_a_sentence(
    reader: CounterReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CounterReader, "_ask", lambda *_: "nothing of use")
    with pytest.raises(RunFailed, match=r"packet counters cannot be read: .*no user-space datapath"):
        reader.read()


def test_a_quota_that_cannot_be_read_is_named(reader: CounterReader, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="CPU quota of service1/vdpi cannot be read"):
        reader.throttled_s("service1/vdpi")
    file = tmp_path / str(PLAN.nodes["service1/vdpi"].group) / "cpu.stat"
    file.parent.mkdir(parents=True)
    file.write_text("nr_periods 4\nthrottled_time 1700000000\n")
    assert reader.throttled_s("service1/vdpi") == 1.7


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A clock that moves only while somebody sleeps."""
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(counters.time, "monotonic", lambda: now.s)
    monkeypatch.setattr(counters.time, "sleep", lambda s: setattr(now, "s", now.s + s))
    yield now


def test_engines_are_read_when_they_have_come_to_rest(
    reader: CounterReader, monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace
) -> None:
    monkeypatch.setattr(reader, "inspected", lambda: {"a": min(10, int(clock.s - 100) * 5)})
    assert reader.inspected_when_still() == Inspected({"a": 10}, ())
    at_rest_s = 102 + counters.ENGINES_STILL_FOR_S
    assert at_rest_s <= clock.s < at_rest_s + 0.5


def test_engines_that_do_not_come_to_rest_are_named(
    reader: CounterReader, monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace
) -> None:
    monkeypatch.setattr(reader, "inspected", lambda: {"a": int(clock.s - 100), "b": 3})
    seen = reader.inspected_when_still()
    assert seen.unsettled == ("a",)
    assert clock.s < 100 + counters.ENGINES_SETTLE_WITHIN_S + 0.5
