"""From Prometheus to series: raw samples, the balancer's definitions, holes that stay holes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from testbedctl.errors import Inconclusive, RunFailed, UsageError
from testbedctl.experiment.scrapes import believed
from testbedctl.forecast.retraining import source as asking
from testbedctl.forecast.retraining.recording import Recording
from testbedctl.forecast.retraining.source import Source
from testbedctl.forecast.retraining.window import Window, record_window
from testbedctl.telemetry.prometheus import Sample
from tests.unit.forecast.retraining.conftest import CLASSES, SECONDS, Prometheus, load, telemetry

NOBODY = "http://127.0.0.1:9"  # the discard port


def recorded(samples: Iterable[Sample], step_s: float = 1.0) -> Recording:
    recording = Recording(step_s, believed)
    recording.take(samples)
    return recording


def flat(samples: dict[str, list[Sample]]) -> list[Sample]:
    return [sample for its in samples.values() for sample in its]


def silent(_: str) -> None:
    return None


def test_what_prometheus_has_becomes_ratios(prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PIECE_S", 100.0)  # six pieces, whose borders must not show
    told: list[str] = []
    start_s = prometheus.end_s - SECONDS
    window = record_window(
        Source(prometheus.url, "lab"), start_s, prometheus.end_s, step_s=1, believe=believed, tell=told.append
    )
    series = {each.vm: each for each in window.recording.series()}
    assert set(series) == set(CLASSES)
    assert window.recording.classes == CLASSES
    for each in series.values():
        # one row a second from the third scrape on: the first one is the border, a rate needs two more
        assert each.unix_s.tolist() == [start_s + 2 + second for second in range(SECONDS - 1)]
        cpu = [load(second) for second in each.unix_s]
        np.testing.assert_allclose(each.values[:, 0], cpu, atol=1e-4)
        np.testing.assert_allclose(each.values[:, 1:3], [[0.25, 0.2]] * len(cpu), atol=1e-4)
        np.testing.assert_allclose(each.values[:, 3], cpu, atol=1e-4)
    assert told[-1] == "fetching telemetry, 100%"


def test_another_lab_has_no_telemetry_there(prometheus: Prometheus) -> None:
    source = Source(prometheus.url, "another")
    window = record_window(
        source, prometheus.end_s - 60, prometheus.end_s, step_s=1, believe=believed, tell=silent
    )
    with pytest.raises(Inconclusive, match="has no telemetry of VNFs in this time: nothing was promoted"):
        window.kept(None, lambda *_: ([], {}))


def test_a_lab_name_is_not_a_query(prometheus: Prometheus) -> None:
    wild = 'lab"} or {__name__=~".+'
    assert list(Source(prometheus.url, wild).pieces(time.time() - 60, time.time(), observe=print)) == [[]]


def test_nobody_there_is_said(prometheus: Prometheus) -> None:
    with pytest.raises(RunFailed, match=f"Prometheus at {NOBODY} does not answer") as caught:
        list(Source(NOBODY).pieces(0, 10, observe=print))
    assert "--lab NAME" in str(caught.value.hint)
    with pytest.raises(RunFailed, match="refuses a query"):
        list(Source(f"{prometheus.url}/metrics").pieces(0, 10, observe=print))


@pytest.mark.parametrize("url", ["localhost:9090", "ftp://host", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a Prometheus"):
        Source(url)


def test_a_password_is_never_shown() -> None:
    source = Source("https://user:secret@example.org:9090/prometheus")
    assert source.shown == "https://example.org:9090/prometheus"
    with pytest.raises(RunFailed) as caught:
        list(Source("http://user:secret@127.0.0.1:9").pieces(0, 10, observe=print))
    assert "secret" not in caught.value.message


def test_a_hole_gives_no_row() -> None:
    samples = [s for s in flat(telemetry(0, 20)) if not 8 <= s.unix_s <= 11]
    (first, *_) = recorded(samples).series()
    assert first.unix_s.tolist() == [*range(1, 8), *range(13, 21)]


def test_a_counter_that_began_again_gives_no_row() -> None:
    begun_again = [
        replace(s, value=s.value - 2) if s.metric == "vnf_cpu_seconds_total" and s.unix_s >= 10 else s
        for s in flat(telemetry(0, 20))
    ]
    (first, *_) = recorded(begun_again).series()
    assert first.unix_s.tolist() == [*range(1, 10), *range(11, 21)]


def test_a_slow_scrape_is_not_believed() -> None:
    samples = telemetry(0, 20)
    slow = [replace(s, value=0.4) if s.unix_s == 10 else s for s in samples["scrape_duration_seconds"]]
    (first, *_) = recorded(flat({**samples, "scrape_duration_seconds": slow})).series()
    assert first.unix_s.tolist() == [*range(1, 10), *range(12, 21)]


def test_longer_steps_are_means_over_the_whole_step() -> None:
    (first, *_) = recorded(flat(telemetry(0, 40)), step_s=5).series()
    assert first.unix_s.tolist() == [5, 10, 15, 20, 25, 30, 35, 40]
    means = [np.mean([load(second) for second in range(at - 4, at + 1)]) for at in range(5, 41, 5)]
    np.testing.assert_allclose(first.values[:, 0], means, atol=1e-5)


def test_two_labs_are_not_mixed() -> None:
    both = flat(telemetry(0, 5, lab="a")) + flat(telemetry(0, 5, lab="b"))
    with pytest.raises(UsageError, match=re.escape("several labs: a, b")):
        recorded(both)


def test_the_choice_of_vnfs_is_asked_for_by_class() -> None:
    window = Window(Source(NOBODY), 0, 20, recorded(flat(telemetry(0, 20))))
    asked = {}

    def one_of_each(by_class: dict[str, list[str]], before: object) -> tuple[list[str], dict[str, float]]:
        asked["by_class"], asked["before"] = dict(by_class), before
        return ["service1/van", "service2/vdpi"], {"T1": 0.5, "T2": 0.5, "T3": 0.0}

    series, proportions = window.kept({"T1": 1.0, "T2": 0.0, "T3": 0.0}, one_of_each)
    assert asked["by_class"] == {"T1": ["service1/van", "service1/vdpi"], "T2": ["service2/vdpi"]}
    assert asked["before"] == {"T1": 1.0, "T2": 0.0, "T3": 0.0}
    assert [each.vm for each in series] == ["service1/van", "service2/vdpi"]
    assert proportions["T1"] == 0.5


def test_no_vnf_of_a_class_that_counts() -> None:
    window = Window(Source(NOBODY), 0, 20, recorded(flat(telemetry(0, 20))))
    with pytest.raises(Inconclusive, match="there are T1, T2: nothing was promoted"):
        window.kept(None, lambda *_: ([], {}))
