"""The parts of the reactive policy: the cost line, camera rates, sizing, history, memory."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from testbedctl.balancing.cost import ENOUGH, CostLine
from testbedctl.balancing.held import Held, Said
from testbedctl.balancing.history import History
from testbedctl.balancing.rates import CameraRates
from testbedctl.balancing.sizing import Camera, excess_cores, room_cores, sharing_factor, whole_cameras
from testbedctl.forecast.persistence import Persistence
from testbedctl.ports import Flow, Observation

from .test_decisions import observed, vnf

COST = 6e-10


def cameras(*cores: float) -> list[Camera]:
    return [Camera(f"a/{n}", value / COST, value) for n, value in enumerate(cores)]


def ids(chosen: list[Camera]) -> set[str]:
    return {camera.flow_id for camera in chosen}


def test_cost_line_finds_base_and_slope_through_noise_and_an_outlier() -> None:
    line, noise = CostLine(), random.Random(1)
    for rate in [2e6] * 10 + [300e6] * 15 + [395e6] * 14:
        cores = (0.0125 + COST * rate) * noise.uniform(0.97, 1.03)
        line.learn(cores / 0.25, 0.25, rate * noise.uniform(0.97, 1.03))
    line.learn(1.0, 0.25, 1e6)
    base, slope = line.line()
    assert slope == pytest.approx(COST, rel=0.03)
    assert base == pytest.approx(0.0125, abs=0.002)


def test_cost_line_without_idle_samples_goes_through_the_origin() -> None:
    line = CostLine()
    assert not line.known
    assert line.line() == (0.0, 0.0)
    for _ in range(ENOUGH):
        line.learn(0.5, 0.2, 100e6)
    assert line.known
    assert line.line() == (0.0, pytest.approx(1e-9))


def test_what_waking_up_costs_is_not_the_cost_of_a_bit() -> None:
    """On a slow machine 2 Mb/s make a small VNF look busy."""
    line = CostLine()
    for _ in range(ENOUGH):
        line.learn(0.16, 0.2, 2e6)
        line.learn(0.7, 0.2, 92e6)
    assert line.known
    assert line.line() == (pytest.approx(0.0296, abs=1e-4), pytest.approx(0.108 / 90e6))


def test_an_overloaded_vnf_that_passes_nothing_teaches_nothing() -> None:
    line = CostLine()
    for _ in range(10):
        line.learn(1.0, 0.25, 0.0)
    assert not line.known


def test_camera_rates_are_smoothed_and_start_whole() -> None:
    rates = CameraRates()

    def learn(rate: float) -> float:
        rates.learn([Flow("a/0", "a", "s", "d", "a/vdpi", "a/vdpi", rate)])
        return rates.bps("a/0")

    assert [learn(rate) for rate in (0, 0, 30, 60, 60, 0, 60, math.nan)] == [0, 0, 30, 60, 60, 60, 60, 60]
    rates.learn([])
    assert rates.bps("a/0") == 0


def test_excess_and_room_as_in_the_paper() -> None:
    assert excess_cores(0.36, 0.6, 0.25) == pytest.approx(1.1 * (0.36 - 0.15))
    giver = vnf("b", 0.04)
    assert sharing_factor(giver, 0.0) == pytest.approx(0.9), "RAM and storage at 10 %"
    assert room_cores(giver, 0.0, 0.01) == pytest.approx(0.15), "the share limit"
    assert room_cores(giver, 0.1, 0.11) == pytest.approx(0.05), "what it lends already is taken off"
    assert room_cores(vnf("b", 0.8), 0.0, 0.2) == pytest.approx(0.025), "never above 90 % of its quota"


def test_guests_do_not_count_twice_against_the_sharing_factor() -> None:
    assert sharing_factor(vnf("b", 0.6), 0.1) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("excess", "room", "expected"),
    [
        (0.1, 0.2, {"a/0", "a/1", "a/2"}),
        (0.075, 0.2, {"a/0", "a/2"}),
        (0.2, 0.06, {"a/0"}),
        (0.01, 0.2, {"a/2"}),
        (0.01, 0.015, set()),
        (-0.1, 0.2, {"a/2"}),
        (0.2, -0.1, set()),
    ],
)
def test_whole_cameras_within_excess_and_room(excess: float, room: float, expected: set[str]) -> None:
    assert ids(whole_cameras(cameras(0.05, 0.03, 0.02), excess, room)) == expected


def test_no_cameras_nothing_to_move() -> None:
    assert whole_cameras([], 1.0, 1.0) == []


def test_whole_cameras_never_exceed_the_room() -> None:
    dice = random.Random(5)
    for _ in range(300):
        pool = cameras(*(dice.uniform(0.001, 0.04) for _ in range(dice.randint(1, 30))))
        excess, room = dice.uniform(0, 0.3), dice.uniform(0, 0.2)
        chosen = whole_cameras(pool, excess, room)
        total = sum(camera.cores for camera in chosen)
        assert total <= room + 1e-12
        assert total <= excess + 1e-12 or len(chosen) == 1
        assert len(ids(chosen)) == len(chosen)


def test_held_counts_without_breaks() -> None:
    held = Held()
    values = [held.seconds("a", holds, at) for at, holds in enumerate([True, True, False, True, True, True])]
    assert values == [0, 1, -1, 0, 1, 2]
    held.keep({"b"})
    assert held.seconds("a", True, 9) == 0


def test_said_once_until_forgotten() -> None:
    said = Said()
    assert [said.news("a", kind) for kind in ("x", "x", "y", "x")] == [True, False, True, False]
    said.forget("a")
    assert said.news("a", "x")


class Window3(Persistence):
    """Persistence over a window of three, to see the window fill."""

    def __init__(self) -> None:
        super().__init__()
        self.window = 3


def test_history_predicts_when_its_window_is_full_and_starts_again_after_a_gap() -> None:
    history = History(Window3())
    times = [100, 101, 102, 103, 110, 111, 112]
    counts = [len(history.forecast(observed(at, vnf("a", 0.5)))) for at in times]
    assert counts == [0, 0, 1, 1, 0, 0, 1]
    assert all(a < b for a, b in pairwise(times))


def test_history_leaves_out_what_is_not_measured() -> None:
    history = History(Persistence())
    forecast = history.forecast(observed(100, vnf("a", 0.5), vnf("b", math.nan), vnf("c", 0, usage={})))
    assert list(forecast) == ["a/vdpi"]
    assert forecast["a/vdpi"]["cpu"] == pytest.approx(0.5)
    assert History(Persistence()).forecast(Observation(1.0, 0.1, {})) == {}
