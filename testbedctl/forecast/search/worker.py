"""One worker of a search: asks for a configuration, trains it, says how good it was, again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from testbedctl.errors import Inconclusive, RunFailed, UsageError
from testbedctl.forecast.search.space import Space
from testbedctl.forecast.search.study import (
    HOLDER,
    WHY,
    Progress,
    give_back,
    holder,
    open_study,
    progress_of,
    reseed,
)

if TYPE_CHECKING:
    import optuna

    from testbedctl.forecast.series import Dataset
    from testbedctl.forecast.training.document import Epoch

_AT_FAULT = (RunFailed, UsageError, Inconclusive)
"""What a configuration can be the reason of: a loss that runs away, layers that do not fit, a window that is
longer than the data."""
_MOST_FAILURES = 3
"""Failures in a row after which the fault is not with the configurations."""


class Assignment(BaseModel):
    """What every worker of a search is told. ``vms`` None means all; ``trials`` and ``seconds`` are
    the budget, one of them at least; ``scratch`` is for what a trial writes and nobody needs afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: Path
    dataset_sha256: str
    vms: tuple[str, ...] | None
    space: Space
    storage: Path
    seed: int
    trials: int | None
    seconds: float | None
    scratch: Path | None = None

    def identity(self) -> dict[str, Any]:
        """What makes two searches one."""
        return {
            "dataset": self.dataset_sha256,
            "vms": None if self.vms is None else list(self.vms),
            "space": self.space.model_dump(mode="json"),
            "seed": self.seed,
        }

    def study(self) -> optuna.Study:
        """The record of the search. Raises as ``open_study``."""
        return open_study(self.storage, self.space.base.epochs, self.identity())


def work(assignment: Assignment, observe: Callable[[Progress], None]) -> None:
    """Run trials until the budget ends; ``observe`` is told after each epoch and each trial.

    The test part of the data is never looked at: ``training.material`` cuts it off. Raises the last error
    if trials fail one after the other, and what opening the data and the record raises.
    """
    from testbedctl.forecast.dataset.store import open_dataset
    from testbedctl.forecast.training.torch_there import use_threads

    use_threads()  # the other cores are for other workers
    deadline = time.monotonic() + (assignment.seconds or float("inf"))
    dataset = open_dataset(assignment.dataset)
    study = assignment.study()
    failures = 0
    while time.monotonic() < deadline and not _enough(study, assignment):
        try:
            _one(study, assignment, dataset, deadline, observe)
            failures = 0
        except _AT_FAULT:  # such as a learning rate that is too high
            failures += 1
            if failures == _MOST_FAILURES:
                raise
        observe(progress_of(study))


def _enough(study: optuna.Study, assignment: Assignment) -> bool:
    return assignment.trials is not None and progress_of(study).finished >= assignment.trials


def _one(
    study: optuna.Study,
    assignment: Assignment,
    dataset: Dataset,
    deadline: float,
    observe: Callable[[Progress], None],
) -> None:
    """One trial from the question to the answer. Raises what its training raises."""
    from optuna.trial import TrialState

    from testbedctl.forecast.training.trainer import train

    trial = study.ask()
    reseed(study, assignment.seed, trial.number)
    trial.set_user_attr(HOLDER, holder())
    try:
        config = assignment.space.suggest(trial)
        watch = _Watch(study, trial, config.epochs, deadline, observe)
        with TemporaryDirectory(dir=assignment.scratch) as scratch:
            model = train(config, dataset, Path(scratch), observe=watch, vms=assignment.vms)
    except _AT_FAULT as error:
        trial.set_user_attr(WHY, error.message)
        study.tell(trial, state=TrialState.FAIL)
        raise
    except BaseException:  # Ctrl-C, a full disk, a fault: the trial is tried again when the search goes on
        give_back(study, trial)
        raise
    if watch.cut_off:
        give_back(study, trial)
    elif watch.pruned:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, model.best.validation_loss)


class _Watch:
    """Reports each epoch of a trial, and stops it if hyperband or the budget says so."""

    def __init__(
        self,
        study: optuna.Study,
        trial: optuna.Trial,
        epochs: int,
        deadline: float,
        observe: Callable[[Progress], None],
    ):
        self._study, self._trial, self._epochs = study, trial, epochs
        self._deadline, self._observe = deadline, observe
        self.pruned = self.cut_off = False

    def __call__(self, epoch: Epoch) -> None:
        from testbedctl.forecast.training.trainer import StopTraining

        self._trial.report(epoch.validation_loss, epoch.number)
        self._observe(progress_of(self._study))
        if epoch.number == self._epochs:
            return  # it is done, and its value stands
        self.pruned = self._trial.should_prune()
        self.cut_off = not self.pruned and time.monotonic() > self._deadline
        if self.pruned or self.cut_off:
            raise StopTraining
