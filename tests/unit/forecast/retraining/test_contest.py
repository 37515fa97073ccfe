"""Which model is better, on what neither has learned from."""

from __future__ import annotations

import numpy as np
import pytest

from testbedctl.errors import Inconclusive
from testbedctl.forecast.dataset.features import feature_names
from testbedctl.forecast.persistence import Persistence
from testbedctl.forecast.retraining import contest
from testbedctl.forecast.retraining.contest import HeldOut, Score
from testbedctl.forecast.series import Dataset, Series


class Constant:
    """Forecasts the same for everything."""

    step_s, window, horizon = 1.0, 3, 2

    def __init__(self, value: float, quantiles: tuple[float, ...] = ()):
        self.value, self.quantiles = value, quantiles

    def predict(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = np.full((len(history), 2, 4), self.value, np.float32)
        return mean, np.repeat(mean[..., None], len(self.quantiles), axis=-1)


def dataset(values: np.ndarray) -> Dataset:
    rows = np.repeat(values[:, None], 4, axis=1).astype(np.float32)
    series = Series("a", np.arange(len(rows), dtype=float), rows)
    return Dataset("d", 1.0, "allotment", feature_names("allotment"), "", (series,))


def test_only_the_newest_part_is_judged() -> None:
    early, late = np.zeros(800), np.ones(200)
    held_out = HeldOut(dataset(np.concatenate([early, late])), 0.8, window=3, horizon=2)
    assert (held_out.truth == 1).all()
    assert len(held_out.truth) == 199
    assert held_out.score(Constant(1)).rmse == 0
    assert held_out.score(Constant(0)).rmse == 1
    assert held_out.persistence().rmse > 0  # the first window sees the zeros before the border


def test_of_very_many_windows_some_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "MAX_WINDOWS", 50)
    held_out = HeldOut(dataset(np.arange(1000) / 1000), 0.8, window=3, horizon=2)
    assert len(held_out.truth) == 50
    assert held_out.truth[0, 0, 0] == pytest.approx(0.8)  # from the oldest of the newest part …
    assert held_out.truth[-1, -1, 0] == pytest.approx(0.999)  # … to the newest


def test_errors_by_hand() -> None:
    held_out = HeldOut(dataset(np.full(200, 0.5)), 0.8, window=3, horizon=2)
    score = held_out.score(Constant(0.3, (0.1, 0.9)))
    assert score.rmse == pytest.approx(0.2)
    assert score.rmse_by_resource == pytest.approx(dict.fromkeys(("cpu", "ram", "storage", "network"), 0.2))
    assert score.pinball == pytest.approx(
        (0.1 * 0.2 + 0.9 * 0.2) / 2
    )  # too low: the quantile weighs the miss
    above = held_out.score(Constant(0.7, (0.1, 0.9)))
    assert above.pinball == pytest.approx((0.9 * 0.2 + 0.1 * 0.2) / 2)
    assert held_out.score(Constant(0.3)).pinball is None


def test_persistence_is_the_product_s_own() -> None:
    random = np.random.default_rng(0)
    held_out = HeldOut(dataset(random.random(400)), 0.8, window=3, horizon=2)
    assert held_out.persistence().rmse == pytest.approx(held_out.score(Persistence(horizon=2)).rmse)


@pytest.mark.parametrize(
    ("new", "old", "better"),
    [
        ((0.1, None), (0.2, None), True),
        ((0.2, None), (0.2, None), False),
        ((0.1, 0.05), (0.2, 0.06), True),
        ((0.1, 0.06), (0.2, 0.06), False),  # a better mean with worse quantiles is not better
        ((0.3, 0.05), (0.2, 0.06), False),
    ],
)
def test_better_is_better_in_everything(
    new: tuple[float, float | None], old: tuple[float, float | None], better: bool
) -> None:
    mine, other = (Score(rmse, {}, pinball) for rmse, pinball in (new, old))
    assert mine.beats(other) is better


def test_too_little_to_judge_on() -> None:
    with pytest.raises(
        Inconclusive, match=r"^19 windows of 3 \+ 2 steps .* 30 are needed: nothing was promoted"
    ):
        HeldOut(dataset(np.zeros(100)), 0.8, window=3, horizon=2)
