"""What the judge says of forecasts whose quality is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unit.forecast.dataset.traces import imported
from unit.forecast.evaluation.contenders import WAVES, contender, judged, last, noise
from unit.forecast.usage import SHARED_DATA, changed, dataset, series

from testbedctl.errors import Inconclusive, UsageError
from testbedctl.forecast.dataset.store import open_dataset
from testbedctl.forecast.evaluation.contender import _in_own_units
from testbedctl.forecast.evaluation.contest import run
from testbedctl.forecast.protocol.scaling import Scaler
from testbedctl.forecast.series import Series
from testbedctl.ports import RESOURCES

MATERNA = SHARED_DATA / "gwa-t-13-materna" / "01.csv"


@pytest.mark.skipif(not MATERNA.is_file(), reason="no reference data: gwa-t-13-materna/01.csv is not there")
def test_persistence_on_materna_is_what_others_found(tmp_path: Path) -> None:
    imported(MATERNA, tmp_path / "set")
    row = judged(data=open_dataset(tmp_path / "set")).contestant("persistence")
    assert row
    assert row.errors[0].mean == pytest.approx(0.0385, abs=0.0001)


def test_all_baselines_stand_beside_every_model() -> None:
    names = [row.name for row in judged(contender()).contestants]
    assert names == [
        "persistence", "mean of the window", "exponential smoothing", "mine", "seasonal naive"
    ]  # fmt: skip


def test_a_model_that_repeats_the_last_value_is_persistence() -> None:
    judgement = judged(contender(), contender("wide", window=30))
    base, mine, wide = (judgement.contestant(name) for name in ("persistence", "mine", "wide"))
    assert base and mine and wide
    assert base.errors[0].rmse == mine.errors[0].rmse == wide.errors[0].rmse
    assert mine.errors[0].to_persistence == 1.0


def test_every_step_of_the_last_part_is_judged_and_no_other() -> None:
    assert judged(contender(window=30)).forecasts == 2 * 60
    assert judged(contender(horizon=6)).forecasts == 2 * 55  # six steps ahead are known of so many


def test_the_longest_window_decides_for_all() -> None:
    """A gap in the judged part costs every contender the forecasts that the longest window loses by it."""
    whole = series("a", 400)
    gap = Series("a", np.where(np.arange(400) < 350, whole.unix_s, whole.unix_s + 3000), whole.values)
    narrow, wide = (judged(contender(window=window), data=dataset(gap)) for window in (3, 20))
    assert (narrow.forecasts, wide.forecasts) == (80 - 12, 80 - 20)  # the mean sees twelve steps


def test_ratios_of_an_allotment_are_judged_as_they_are() -> None:
    """Not by a VM's own range, in which the noise of what stands still would weigh as much as a burst."""
    ratios = [Series(vm, each.unix_s, each.values / 2000) for vm in "ab" for each in [noise(vm)]]
    data = dataset(*ratios, units="allotment")
    judgement = judged(contender(), contender("own", space="own", scaling="none"), data=data)
    changes = np.concatenate([np.diff(each.values, axis=0)[-200:] for each in ratios])
    rms = np.sqrt(np.square(changes, dtype=np.float64).mean(axis=0))
    base, own, mine = (judgement.contestant(name) for name in ("persistence", "own", "mine"))
    assert base and own and mine
    assert list(base.errors[0].rmse.values()) == pytest.approx(rms.tolist(), rel=1e-5)
    assert own.errors[0].rmse == base.errors[0].rmse
    assert list(mine.errors[0].rmse.values()) == pytest.approx(rms.tolist(), rel=0.01)  # its past is clipped


def test_what_is_in_own_units_is_judged_in_the_scaled_space() -> None:
    judgement = judged(contender(), contender("own", space="own", scaling="none"))
    mine, own = judgement.contestant("mine"), judgement.contestant("own")
    assert mine and own
    assert [own.errors[0].rmse[name] for name in RESOURCES] == pytest.approx(
        [mine.errors[0].rmse[name] for name in RESOURCES], rel=1e-4
    )


def test_a_globally_scaled_model_sees_its_own_scale() -> None:
    scaler = Scaler.fit("global", WAVES.series)
    seen: list[float] = []

    def predict(windows: np.ndarray) -> np.ndarray:
        seen.extend((windows.min(), windows.max()))
        return last()(windows)

    model = contender("global", space="own", predict=_in_own_units(predict, scaler))
    judgement = judged(model)
    row, base = judgement.contestant("global"), judgement.contestant("persistence")
    assert row and base
    assert row.errors[0].mean == pytest.approx(base.errors[0].mean, rel=1e-3)
    assert 0 <= min(seen) < max(seen) <= 1


def test_errors_grow_with_the_steps_ahead_each_on_its_own() -> None:
    row = judged(contender(horizon=3)).contestant("persistence")
    assert row
    means = [error.mean for error in row.errors]
    assert means == sorted(means)
    assert means[0] < means[2]
    assert [error.ahead for error in row.errors] == [1, 2, 3]


def test_a_quantile_is_exceeded_as_often_as_it_says() -> None:
    """Even noise in [0, 1000]: 900 is its 90 % quantile."""

    def predict(windows: np.ndarray) -> np.ndarray:
        forecast = np.full((len(windows), 1, 4, 3), 500, np.float32)
        forecast[..., 1], forecast[..., 2] = 100, 900
        return forecast

    data = dataset(noise("a"), noise("b", constant=True))
    model = contender(space="own", quantiles=(0.1, 0.9), predict=predict)
    row = judged(model, data=data).contestant("mine")
    assert row
    tenth, ninetieth = row.quantiles
    assert tenth.above_all == pytest.approx(0.9, abs=0.03)
    assert ninetieth.above_all == pytest.approx(0.1, abs=0.03)
    assert ninetieth.above["network"] == pytest.approx(0.1, abs=0.05)  # of the VM in which it moves


def test_the_scale_is_that_of_the_first_part_alone() -> None:
    """Beyond the largest value of the first part everything reads as 1, and persistence makes no error."""
    grown = changed(series("a", 300), slice(239, None), 0, 4e3)
    grown.values[241::2, 0] = 8e3
    row = judged(contender(), data=dataset(grown)).contestant("persistence")
    assert row
    assert row.errors[0].rmse["cpu"] == 0
    assert row.errors[0].rmse["ram"] > 0


def test_what_equals_its_quantile_is_not_above_it() -> None:
    still = changed(series("a", 300), slice(100, None), 0, 5e5)
    row = judged(contender(space="own", quantiles=(0.9,)), data=dataset(still)).contestant("mine")
    assert row
    assert row.quantiles[0].above["cpu"] == 0


def test_quantiles_are_judged_beyond_what_was_seen_in_training() -> None:
    """Clipped to the range of the training part, a truth that left it would never be above a quantile."""
    grown = changed(series("a", 300), slice(250, None), 0, 1e6)
    grown.values[251::2, 0] = 2e6
    row = judged(contender(space="own", quantiles=(0.9,)), data=dataset(grown)).contestant("mine")
    assert row
    assert row.quantiles[0].above["cpu"] == pytest.approx(0.5, abs=0.15)


def test_a_constant_vm_leaves_nothing_to_divide_by() -> None:
    flat = Series("a", series("a").unix_s, np.full((200, 4), 3, np.float32))
    row = judged(contender(quantiles=(0.9,)), data=dataset(flat)).contestant("mine")
    assert row
    assert (row.errors[0].mean, row.errors[0].to_persistence) == (0.0, None)
    assert row.quantiles[0].above_all is None


def test_a_vm_that_is_too_short_is_named() -> None:
    judgement = judged(contender(), data=dataset(series("a", 300), series("tiny", 10)))
    assert judgement.vms == ("a",)
    assert judgement.left_out == {"tiny": "no 13 steps without a gap"}


def test_nothing_to_judge_is_no_result() -> None:
    with pytest.raises(Inconclusive, match="no training window"):
        judged(contender(), data=dataset(series("tiny", 10)))


def test_a_season_that_most_forecasts_lack_is_not_measured() -> None:
    row = judged(contender()).contestant("seasonal naive")
    assert row and not row.errors
    assert row.why == "24 of 120 forecasts have a day (288 steps) behind them"


def test_a_season_that_is_no_whole_number_of_steps_is_not_measured() -> None:
    data = replace(dataset(series("a", 300, step_s=7.0)), step_s=7.0)
    row = judged(contender(), data=data).contestant("seasonal naive")
    assert row and not row.errors
    assert row.why == "a season of 86400 s with steps of 7 s"


def test_a_season_takes_part_where_it_is_known() -> None:
    row = judged(contender(), data=dataset(series("a", 1600))).contestant("seasonal naive")
    assert row and row.errors
    assert row.window == 288


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two models are called mine"):
        judged(contender(), contender())


def test_progress_ends_with_all_vms() -> None:
    told: list[tuple[int, int]] = []
    run([contender()], WAVES, ["a", "b"], observe=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]
