"""An evaluation from models and data sets to the finished document."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from testbedctl import __version__
from testbedctl.errors import UsageError
from testbedctl.forecast.evaluation.baselines import baselines, seasonal
from testbedctl.forecast.evaluation.contender import TRAIN_SHARE, Contender
from testbedctl.forecast.evaluation.judge import judge
from testbedctl.forecast.evaluation.result import (
    PERSISTENCE,
    Contestant,
    Evaluation,
    Judgement,
    StepError,
)
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    from testbedctl.forecast.evaluation.score import Score
    from testbedctl.forecast.series import Dataset

_TIMED = 50


def evaluation_of(judgements: Sequence[Judgement]) -> Evaluation:
    """The document, with the present time and this version."""
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Evaluation(created=created, tool=__version__, judgements=tuple(judgements))


def field_of(
    models: Sequence[Contender], dataset: Dataset, vms: Sequence[str]
) -> tuple[list[Contender], str]:
    """The baselines and the models, and why seasonal naive is not among them ("" if it is)."""
    wanted = set(vms)
    series = [each for each in dataset.series if each.vm in wanted]
    horizon = max((each.horizon for each in models), default=1)
    base = baselines(dataset, series, horizon, TRAIN_SHARE)
    window = max(each.window for each in (*base, *models))
    season = seasonal(dataset, series, window, horizon, TRAIN_SHARE)
    if isinstance(season, str):
        return [*base, *models], season
    return [*base, season, *models], ""


@dataclass(frozen=True)
class Judging:
    """A judgement with what it was made of: for figures. ``per_vm`` is the error of persistence on each VM,
    one step ahead and further pooled."""

    judgement: Judgement
    dataset: Dataset
    contenders: tuple[Contender, ...]
    per_vm: Mapping[str, float]


def run(
    models: Sequence[Contender],
    dataset: Dataset,
    vms: Sequence[str],
    *,
    foreign: bool = False,
    observe: Callable[[int, int], None] = lambda _done, _all: None,
) -> Judging:
    """Judge models and baselines on these VMs of a data set.

    ``observe`` is told VMs done and in all. Raises ``UsageError`` if two models have one name, and what
    ``judge`` raises.
    """
    names = [each.name for each in models]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"two models are called {double}", hint="rename one of their directories or files")
    contenders, no_season = field_of(models, dataset, vms)
    scores, left_out = judge(contenders, dataset, vms, train_share=TRAIN_SHARE, observe=observe)
    persistence = next(score for score in scores if score.contender.name == PERSISTENCE)
    rows = [_contestant(score, persistence.rmse()) for score in scores]
    if no_season:
        rows.append(_not_measured("seasonal naive", max(each.horizon for each in contenders), no_season))
    judgement = Judgement(
        dataset=dataset.name,
        sha256=dataset.sha256,
        step_s=dataset.step_s,
        units=dataset.units,
        foreign=foreign,
        vms=tuple(vm for vm in vms if vm not in left_out),
        left_out=left_out,
        forecasts=persistence.forecasts,
        window=max(each.window for each in contenders),
        horizon=max(each.horizon for each in contenders),
        train_share=TRAIN_SHARE,
        contestants=tuple(rows),
    )
    return Judging(judgement, dataset, tuple(contenders), persistence.per_vm)


def prediction_time_s(contender: Contender) -> float:
    """Seconds of one forecast for one VM: the median of some, after a first one that is not counted."""
    window = np.random.default_rng(0).random((1, contender.window, len(RESOURCES)), np.float32)
    contender.predict(window)
    taken = []
    for _ in range(_TIMED):
        begun = time.perf_counter()
        contender.predict(window)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _contestant(score: Score, persistence: np.ndarray) -> Contestant:
    contender = score.contender
    errors = []
    for ahead, (own, base) in enumerate(zip(score.rmse(), persistence, strict=False), 1):
        errors.append(
            StepError(
                ahead=ahead,
                rmse=dict(zip(RESOURCES, own.tolist(), strict=True)),
                mean=float(own.mean()),
                to_persistence=float(own.mean() / base.mean()) if base.mean() else None,
            )
        )
    return Contestant(
        name=contender.name,
        kind=contender.kind,
        config=dict(contender.config),
        scaling=contender.scaling,
        window=contender.window,
        horizon=contender.horizon,
        errors=tuple(errors),
        quantiles=score.quantile_shares(),
        training_s=contender.training_s,
        epochs=contender.epochs,
        parameters=contender.parameters,
        prediction_s=prediction_time_s(contender),
        seen=None if contender.trained_on is None else len(contender.trained_on & score.per_vm.keys()),
    )


def _not_measured(name: str, horizon: int, why: str) -> Contestant:
    return Contestant(
        name=name, kind="baseline", scaling="per-vm", window=None, horizon=horizon, errors=(), why=why
    )
