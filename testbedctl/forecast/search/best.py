"""The best configuration of a search, as ``forecast train --config`` takes it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from testbedctl.errors import Inconclusive
from testbedctl.forecast.search.study import Progress, progress_of
from testbedctl.records.files import write_bytes
from testbedctl.units import count

if TYPE_CHECKING:
    import optuna

    from testbedctl.forecast.search.space import Space
    from testbedctl.forecast.training.config import TrainingConfig


@dataclass(frozen=True)
class Best:
    """The trial with the least validation loss, and what was searched for it."""

    number: int
    validation_loss: float
    config: TrainingConfig
    progress: Progress

    def document(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        told = self.progress
        return {
            "best": {
                "trial": self.number,
                "validation_loss": self.validation_loss,
                "config": self.config.model_dump(mode="json"),
            },
            "trials": {"complete": told.complete, "pruned": told.pruned, "failed": told.failed},
        }


def best_of(study: optuna.Study, space: Space) -> Best:
    """The best trial so far. Raises ``Inconclusive`` if none has come to its end."""
    progress = progress_of(study)
    if progress.best is None:
        ended = f"{count(progress.pruned, 'trial')} pruned, {progress.failed} failed"
        raise Inconclusive(
            f"no trial has come to its end yet ({ended})",
            hint="give the same command again: it goes on; a longer budget or fewer epochs help",
        )
    number, loss = progress.best
    values = study.trials[number].params
    return Best(number, loss, space.configuration(space.decoded(values)), progress)


def write_best(best: Best, dataset: str, path: Path) -> None:
    """Write the configuration whole or not at all. Raises ``RunFailed`` if that is impossible."""
    told = best.progress
    head = (
        f"# testbedctl forecast search: best of {count(told.finished, 'trial')} ({told.pruned} pruned, "
        f"{told.failed} failed) on data set {dataset}\n"
        f"# trial {best.number}, validation loss {best.validation_loss:.6g}; the test part was not used\n"
    )
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.dump(best.config.model_dump(mode="json"), stream)
    write_bytes(path, (head + stream.getvalue()).encode())
