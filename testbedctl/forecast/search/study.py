"""The record of a search: an Optuna study in a journal file, which processes and machines can share."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.records.files import json_text
from testbedctl.records.holder import is_alive, own_ticks

if TYPE_CHECKING:
    import optuna

NAME = "search"
HOLDER, SEARCH, WHY = "holder", "search", "why"
REDUCTION = 3
"""Hyperband lets one in three trials of a rung go on (Li et al. 2017, §3)."""


@dataclass(frozen=True)
class Progress:
    """How a search stands: trials that ended by themselves, that were pruned, that failed (not those that
    were cut off: they are tried again), that run (number and epochs done), and the best (number and loss)."""

    complete: int
    pruned: int
    failed: int
    running: tuple[tuple[int, int], ...]
    best: tuple[int, float] | None

    @property
    def finished(self) -> int:
        """Trials that count towards the number asked for."""
        return self.complete + self.pruned


def open_study(storage: Path, epochs: int, identity: Mapping[str, Any]) -> optuna.Study:
    """The study in a journal file, a new one if there is none.

    ``epochs``: what a whole trial takes, the largest budget of hyperband; ``identity``: what all its trials
    share, as plain JSON values. Raises ``UsageError`` naming what differs if the file is of another search,
    ``InvalidFile`` if it is damaged.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage.parent.mkdir(parents=True, exist_ok=True)
        backend = JournalStorage(JournalFileBackend(str(storage)))
        study = optuna.create_study(
            study_name=NAME,
            storage=backend,
            load_if_exists=True,
            pruner=optuna.pruners.HyperbandPruner(1, epochs, REDUCTION),
        )
    except OSError as error:
        raise UsageError(
            f"cannot write {storage}: {(error.strerror or str(error)).lower()}",
            hint="name a file that you may write to with --storage",
        ) from error
    except (ValueError, KeyError, TypeError) as error:  # what Optuna raises for lines that are not its own
        raise InvalidFile(
            f"{storage} is damaged, or not the record of a search: {error}",
            hint="name another file with --storage; the search then begins anew",
        ) from error
    _check_same(study, storage, identity)
    return study


def reseed(study: optuna.Study, seed: int, number: int) -> None:
    """Give a trial a sampler of its own, so that its proposal depends on the seed, its number and the trials
    before it, and not on which process asks, or on how often the search was interrupted."""
    import optuna

    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    study.sampler = optuna.samplers.TPESampler(seed=int.from_bytes(digest[:4], "big"))


def holder() -> dict[str, Any]:
    """This process, as a trial remembers who runs it."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "start_ticks": own_ticks()}


def give_back(study: optuna.Study, trial: optuna.trial.FrozenTrial | optuna.Trial) -> None:
    """End a trial that was cut off; its proposal comes first when the search goes on."""
    from optuna.trial import TrialState

    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    study.enqueue_trial(trial.params)


def reclaim(study: optuna.Study) -> int:
    """Give back the trials of processes of this host that are gone; how many there were."""
    from optuna.trial import TrialState

    here = socket.gethostname()
    lost = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        who = trial.user_attrs.get(HOLDER)
        if who and who["host"] == here and not is_alive(who["pid"], who["start_ticks"]):
            give_back(study, trial)
            lost += 1
    return lost


def progress_of(study: optuna.Study) -> Progress:
    """How the search stands, over all processes and machines that share its record."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    by_state = {state: [each for each in trials if each.state == state] for state in TrialState}
    whole = [each for each in by_state[TrialState.COMPLETE] if each.value is not None]
    best = min(whole, key=lambda trial: (trial.value, trial.number), default=None)
    return Progress(
        complete=len(whole),
        pruned=len(by_state[TrialState.PRUNED]),
        failed=sum(WHY in each.user_attrs for each in by_state[TrialState.FAIL]),
        running=tuple((each.number, each.last_step or 0) for each in by_state[TrialState.RUNNING]),
        best=(best.number, float(best.value)) if best and best.value is not None else None,
    )


def _check_same(study: optuna.Study, storage: Path, identity: Mapping[str, Any]) -> None:
    """Raises ``UsageError`` if the record is of another search; a new one is marked as this one."""
    begun = study.user_attrs.get(SEARCH)
    if begun is None:
        study.set_user_attr(SEARCH, dict(identity))
        return
    differing = [key for key in identity if json_text(begun.get(key)) != json_text(identity[key])]
    if differing:
        raise UsageError(
            f"{storage} is the record of another search: it differs in {', '.join(differing)}",
            hint="give what that search was given, or another file with --storage",
        )
