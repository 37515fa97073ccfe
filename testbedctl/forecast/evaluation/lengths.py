"""One model with windows of several lengths (§7.1: more than three steps bring no significant gain)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from testbedctl.errors import UsageError
from testbedctl.forecast.evaluation.contender import of_model
from testbedctl.forecast.evaluation.contest import Judging, evaluation_of, run
from testbedctl.forecast.evaluation.result import Evaluation
from testbedctl.forecast.training.trained import MODEL, TrainedModel
from testbedctl.forecast.training.trainer import train
from testbedctl.units import count

if TYPE_CHECKING:
    from testbedctl.forecast.series import Dataset
    from testbedctl.forecast.training.config import TrainingConfig
    from testbedctl.forecast.training.document import Epoch

LENGTHS = (1, 2, 3, 6, 12, 24)
_TOLD_EACH = 10  # epochs: six trainings of a hundred would fill a log


def train_lengths(
    dataset: Dataset,
    vms: Sequence[str],
    base: TrainingConfig,
    directory: Path,
    *,
    observe: Callable[[str], None],
) -> tuple[Evaluation, Judging]:
    """Train ``base`` once for each of ``LENGTHS`` into ``directory``, and judge all on the same steps.

    A model that is there already is used if it is the same training. ``observe`` is told what is being done.
    Raises what training and judging raise.
    """
    models = []
    for length in LENGTHS:
        config = base.model_copy(update={"window": length})
        name = f"{base.model}-{length:02d}"

        def tell(epoch: Epoch, doing: str = f"{count(length, 'past step')}") -> None:
            if epoch.number % _TOLD_EACH == 1:
                observe(f"{doing}, epoch {epoch.number}, validation loss {epoch.validation_loss:.5f}")

        models.append(of_model(_trained(config, dataset, vms, directory / name, tell), name, dataset))
    observe("judging")
    judging = run(models, dataset, vms)
    return evaluation_of([judging.judgement]), judging


def _trained(
    config: TrainingConfig,
    dataset: Dataset,
    vms: Sequence[str],
    directory: Path,
    observe: Callable[[Epoch], None],
) -> TrainedModel:
    if not (directory / MODEL).exists():
        return train(config, dataset, directory, observe=observe, vms=vms)
    model = TrainedModel.load(directory)
    if (model.config, model.dataset_sha256, set(model.vms)) != (config, dataset.sha256, set(vms)):
        raise UsageError(
            f"{directory} holds a model of another training", hint="give another directory with --output"
        )
    return model
