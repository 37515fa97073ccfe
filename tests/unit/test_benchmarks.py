"""What the forecasts' benchmarks tell: judged parts, choices in hindsight, and calibration."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from testbedctl.forecast.evaluation.result import Contestant, Judgement, QuantileShare, StepError
from testbedctl.forecast.series import Dataset, Series
from testbedctl.ports import RESOURCES

STEP_S = 300.0
CHECKOUT = Path(__file__).resolve().parents[2]


def _errors(mean: float) -> tuple[StepError, ...]:
    rmse = dict.fromkeys(RESOURCES, mean)
    return tuple(StepError(ahead=n, rmse=rmse, mean=mean, to_persistence=None) for n in range(1, 7))


def _contestant(name: str, above: float | None = None) -> Contestant:
    shares = () if above is None else (QuantileShare(quantile=0.9, above={}, above_all=above),)
    return Contestant(
        name=name,
        kind="baseline" if name == "persistence" else "model",
        config={"model": name},
        scaling="per-vm",
        window=48,
        horizon=6,
        errors=_errors(0.1),
        quantiles=shares,
    )


def _judgement(*contestants: Contestant) -> Judgement:
    return Judgement(
        dataset="01", sha256="", step_s=STEP_S, units="trace", foreign=True, vms=("01",), forecasts=9,
        window=48, horizon=6, train_share=0.8, contestants=contestants,
    )  # fmt: skip


@pytest.mark.parametrize(("above", "met"), [(0.10, True), (0.146, False)])
def test_calibration_on_the_foreign_trace_is_told_with_what_was_asked(above: float, met: bool) -> None:
    from benchmarks.forecast_models import _foreign

    judged = _judgement(_contestant("persistence"), _contestant("lstm"), _contestant("change", above))
    [row] = [each for each in _foreign(judged) if "quantile" in each.what]
    assert (row.asked, row.met) == ("8–12 %", met)
    assert row.what.startswith("change, foreign trace")
    assert row.reached == f"{100 * above:.1f} %"


def test_every_benchmark_that_can_be_named_is_there() -> None:
    folder = CHECKOUT / "benchmarks"
    [names] = [
        ast.literal_eval(each.value)
        for each in ast.parse((folder / "__main__.py").read_text()).body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "NAMES"
    ]
    assert "forecast_bound" in names
    assert all("def measure() -> list[Row]:" in (folder / f"{name}.py").read_text() for name in names)


def _dataset(rows: int) -> Dataset:
    """Values that tell the number of their row, but for the last fifth, which nobody may look at."""
    values = np.repeat(np.arange(rows, dtype=np.float32)[:, np.newaxis], len(RESOURCES), axis=1)
    values[rows * 8 // 10 :] = np.nan
    series = Series("a", STEP_S * np.arange(rows), values)
    return Dataset("made up", STEP_S, "trace", dict.fromkeys(RESOURCES, ""), "", (series,))


def test_the_bound_is_judged_on_the_next_fifth_of_a_vm_and_scaled_by_what_is_before() -> None:
    pytest.importorskip("torch", reason="the extra `train` is not installed")
    from benchmarks.forecast_bound import PAST, vms_of

    [vm] = vms_of(_dataset(1000), ["a"])
    own_past, own_future = vm.own.batch()
    assert len(vm.truth) == 200 - 5  # six steps ahead, all of them in the part
    assert np.isfinite(vm.truth).all() and (vm.truth == 1).all()  # above all that was seen before
    assert vm.past.shape == (195, PAST, 4) and vm.past.min() == pytest.approx((600 - PAST) / 599)
    assert (own_past.min(), own_future.max()) == (0, 1)


def test_in_hindsight_each_resource_and_step_has_the_better_forecast() -> None:
    pytest.importorskip("torch", reason="the extra `train` is not installed")
    from benchmarks.forecast_bound import better

    truth = np.zeros((3, 2, 4), np.float32)
    first, second = truth + 0.2, truth + 0.3
    second[:, 1, 2] = 0.1
    chosen = better(truth, first, second)
    assert (chosen[:, 1, 2] == second[:, 1, 2]).all()
    assert (np.delete(chosen.reshape(3, 8), 6, axis=1) == np.float32(0.2)).all()


def test_trees_of_their_own_learn_the_rhythm_of_a_vm_that_makes_up_the_error() -> None:
    pytest.importorskip("torch", reason="the extra `train` is not installed")
    from benchmarks.forecast_bound import of_their_own, vms_of

    rows = 1500
    values = np.zeros((rows, len(RESOURCES)), np.float32)
    values[::7] = 1
    series = Series("a", STEP_S * np.arange(rows), values)
    dataset = Dataset("made up", STEP_S, "trace", dict.fromkeys(RESOURCES, ""), "", (series,))
    vms = list(vms_of(dataset, ["a"]))
    useless = [np.full_like(vm.truth, 0.5) for vm in vms]
    [own] = of_their_own(vms, useless)
    assert np.abs(own - vms[0].truth).max() < 0.2
