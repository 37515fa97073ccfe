"""How much better than `change` a forecaster could be: other kinds, their mean, and a choice in hindsight.

Trained and scaled on the first 60 % of each VM's rows, judged on the next 20 % of 40 VMs that none has
learned from. The last 20 %, and the VMs that `forecast_models` judges on, play no part. Takes ten
minutes on one core. What follows from it: ``docs/explanation/better-model.md``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from torch import Tensor, nn

from benchmarks.forecast_models import HORIZONS, LEARNED, MONTH, SEED, UNSEEN, imported, ours, trained
from benchmarks.table import Row
from testbedctl.forecast.models.change import FLOOR, Change
from testbedctl.forecast.models.registry import MODELS
from testbedctl.forecast.protocol.rmse import Rmse
from testbedctl.forecast.protocol.scaling import Scaler
from testbedctl.forecast.protocol.split import split, with_history
from testbedctl.forecast.protocol.windows import WindowIndex, windows
from testbedctl.forecast.series import Dataset
from testbedctl.forecast.training.config import TrainingConfig
from testbedctl.forecast.training.material import prepare
from testbedctl.forecast.training.sample import choose
from testbedctl.forecast.training.torch_there import use_threads
from testbedctl.ports import RESOURCES

STEPS, AHEAD = [ahead - 1 for ahead in HORIZONS], f"{' / '.join(map(str, HORIZONS))} steps ahead"
Floats = NDArray[np.float32]
Forecasts = list[Floats]
"""Of each VM float32[n, len(HORIZONS), 4]."""

TRAIN_SHARE, JUDGED_OF_REST = 0.6, 0.5
NEAR, PAST = 24, 289
"""Steps: what GRU and trees see of the past, and how far the longest lag reaches back."""
LAGS = np.array([48, 60, 72, 84, 96, 144, 287, 288, 289])
BOOSTED_WINDOWS = 120_000
OF_THE_ERROR = 0.9
"""VMs that make up this share of a resource's error get trees of their own; on the others `change` stands."""
GRU = {"model": "gru", "window": NEAR, "quantiles": (), "epochs": 4, "windows_per_epoch": 300_000}
"""What is other than in the configuration of `change`."""


class Gru(nn.Module):
    """A plain GRU that forecasts the change from the last value in ranges of its window, as `change` does."""

    loss = Change.loss

    def __init__(self, window: int, horizon: int, cells: int = 64):  # noqa: ARG002 - takes any window
        super().__init__()
        self.horizon, self.quantiles = horizon, ()
        self.recurrent = nn.GRU(len(RESOURCES), cells, batch_first=True)
        self.dense = nn.Sequential(nn.Linear(cells, cells), nn.ReLU(), nn.Linear(cells, horizon * 4))

    def forward(self, history: Tensor) -> Tensor:
        """From float32[b, window, 4] to float32[b, horizon, 4, 1]."""
        last = history[:, -1:]
        span = history.amax(1, keepdim=True) - history.amin(1, keepdim=True)
        states, _ = self.recurrent((history - last) / (span + FLOOR))
        change: Tensor = self.dense(states[:, -1]).unflatten(1, (-1, 4))
        return (last + span * change)[..., None]


@dataclass(frozen=True)
class Vm:
    """Windows of one VM, scaled: those of its first part, and ``past`` float32[n, PAST, 4] and ``truth``
    float32[n, len(HORIZONS), 4] of the part that forecasts are judged on."""

    own: WindowIndex
    past: Floats
    truth: Floats


def measure() -> list[Row]:
    """RMSE ÷ persistence of each forecaster, one step and six steps ahead."""
    if not MONTH.is_file():
        return [Row("how much better a forecast can be", "", "–", None, f"data absent: {MONTH.name}")]
    use_threads()
    MODELS["gru"] = f"{__name__}:Gru"
    with tempfile.TemporaryDirectory(prefix="testbedctl-benchmark-") as name:
        month = imported(MONTH, Path(name) / "month")
        learned = choose(month, LEARNED, SEED)
        vms = list(vms_of(month, choose(month, 2 * UNSEEN, SEED, exclude=learned)[UNSEEN:]))
        return list(_rows(vms, _forecasts(month, learned, vms, Path(name))))


def vms_of(dataset: Dataset, names: Iterable[str]) -> Iterator[Vm]:
    """The VMs of these names."""
    by_name = {series.vm: series for series in dataset.series}
    for name in names:
        before, rest = split(by_name[name], TRAIN_SHARE)
        judged = with_history(before, split(rest, JUDGED_OF_REST)[0], PAST)
        scaler = Scaler.fit("per-vm", [before])
        shape = (PAST, max(HORIZONS), dataset.step_s)
        past, future = windows(scaler.scale(judged), *shape)
        yield Vm(WindowIndex([scaler.scale(before)], *shape), past, future[:, STEPS])


def _forecasts(
    month: Dataset, learned: tuple[str, ...], vms: list[Vm], place: Path
) -> Iterator[tuple[str, Forecasts]]:
    """Name and forecasts, one forecaster after the other."""

    def by_net(config: TrainingConfig) -> Forecasts:
        net, window = trained(config.model, config, month, learned, place / config.model), config.window
        return [net.predict(vm.past[:, -window:])[..., 0][:, STEPS].clip(0, 1) for vm in vms]

    yield "persistence", [vm.past[:, [-1] * len(HORIZONS)] for vm in vms]
    config = ours().model_copy(update={"train_share": TRAIN_SHARE})
    yield "`change`", (change := by_net(config))
    yield "trees fitted on each VM's own past", (own := of_their_own(vms, change))
    chosen = [better(vm.truth, *both) for vm, *both in zip(vms, change, own, strict=True)]
    yield "the better of both for each VM and resource, in hindsight", chosen
    yield "GRU over 24 steps", (gru := by_net(config.model_copy(update=GRU)))
    yield "mean of GRU and `change`", [np.mean(both, axis=0) for both in zip(gru, change, strict=True)]
    yield "histogram gradient boosting", boosted(prepare(config, month, learned).learning, vms)


def boosted(learning: WindowIndex, vms: list[Vm]) -> Forecasts:
    """Boosting for each step and resource on the change ÷ range, where a window weighs its range squared."""
    many = min(BOOSTED_WINDOWS, len(learning))
    past, future = learning.batch(np.random.default_rng(SEED).choice(len(learning), many, replace=False))
    features, span = _described(past)
    changes = (future[:, STEPS] - past[:, -1:]) / (span + FLOOR)
    forecasts = [vm.past[:, [-1] * len(HORIZONS)] for vm in vms]
    judged = [_described(vm.past[:, -learning.window :]) for vm in vms]
    for step, which in np.ndindex(len(HORIZONS), len(RESOURCES)):
        moves = span[:, 0, which] > 1e-6
        weight = np.square(span[moves, 0, which])
        boosting = HistGradientBoostingRegressor(
            learning_rate=0.08, max_iter=150, max_leaf_nodes=63, min_samples_leaf=60, l2_regularization=1.0,
            max_features=0.5, early_stopping=False, random_state=SEED,
        )  # fmt: skip
        boosting.fit(features[moves], changes[moves, step, which], weight / weight.mean())
        for forecast, (seen, span_there) in zip(forecasts, judged, strict=True):
            forecast[:, step, which] += boosting.predict(seen) * span_there[:, 0, which]
    return [each.clip(0, 1) for each in forecasts]


def _described(past: Floats) -> tuple[Floats, Floats]:
    """The last steps, and mean and spread of some spans, less the last value and ÷ the range; the range."""
    span = np.ptp(past, axis=1, keepdims=True)
    place = (past - past[:, -1:]) / (span + FLOOR)
    spans = [place[:, -steps:] for steps in (6, 12, 24, 48)]
    parts = [place[:, -NEAR:].reshape(len(past), -1), *(f(1) for s in spans for f in (s.mean, s.std))]
    return np.concatenate(parts, axis=1, dtype=np.float32), span


def of_their_own(vms: list[Vm], change: Forecasts) -> Forecasts:
    """The forecasts of `change`, and those of a VM's own trees where `change` has most of its error."""
    forecasts = [each.copy() for each in change]
    squares = np.array([_squares(vm.truth, each) for vm, each in zip(vms, change, strict=True)])
    for step, which in np.ndindex(len(HORIZONS), len(RESOURCES)):
        order = np.argsort(squares[:, step, which])[::-1]
        sums = np.cumsum(squares[order, step, which])
        for place in order[: np.searchsorted(sums, OF_THE_ERROR * sums[-1]) + 1]:
            forecasts[place][:, step, which] = _by_trees(vms[place], HORIZONS[step], which)
    return forecasts


def _by_trees(vm: Vm, ahead: int, resource: int) -> Floats:
    """Extra trees fitted on the first part of this VM: the last steps of all resources, and lags to a day."""
    seen = [*range(PAST - NEAR, PAST), *(PAST - 1 + ahead - LAGS)]
    past, future = vm.own.batch()
    trees = ExtraTreesRegressor(50, min_samples_leaf=8, max_features=0.33, n_jobs=1, random_state=SEED)
    trees.fit(past[:, seen].reshape(len(past), -1), future[:, ahead - 1, resource])
    now = vm.past[:, seen]
    return np.asarray(trees.predict(now.reshape(len(now), -1)), np.float32).clip(0, 1)


def better(true: Floats, first: Floats, second: Floats) -> Floats:
    """For each step ahead and resource whichever of two forecasts of a VM has the smaller error in all."""
    return np.where(_squares(true, second) < _squares(true, first), second, first)


def _squares(true: Floats, forecast: Floats) -> NDArray[np.float32]:
    return np.asarray(np.square(forecast - true).sum(axis=0))


def _rows(vms: list[Vm], forecasts: Iterator[tuple[str, Forecasts]]) -> Iterator[Row]:
    """Persistence comes first. Each is told as soon as it is there."""
    base = None
    for name, each in forecasts:
        errors = Rmse(len(HORIZONS))
        for vm, forecast in zip(vms, each, strict=True):
            errors.add(forecast, vm.truth)
        base = errors.by_step() if base is None else base
        ratios = " / ".join(f"{ratio:.3f}" for ratio in errors.by_step() / base)
        values = " / ".join(f"{value:.4f}" for value in errors.by_step())
        print(f"{name}: {ratios} ({values})", file=sys.stderr, flush=True)
        yield Row(f"{name}, {AHEAD}: RMSE ÷ persistence", "", f"{ratios} ({values})", None)
