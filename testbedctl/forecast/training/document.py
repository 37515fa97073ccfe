"""What ``model.json`` holds of a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from testbedctl.forecast.series import Units
from testbedctl.forecast.training.config import TrainingConfig

SCHEMA: Literal["testbedctl.model/1"] = "testbedctl.model/1"


@dataclass(frozen=True)
class Epoch:
    """One pass over the windows to learn from: its number from 1, the mean loss while learning, the loss on
    the validation windows after it, and the time of both."""

    number: int
    train_loss: float
    validation_loss: float
    seconds: float


class Learned(BaseModel):
    """What one training has learned from. ``warm_start_sha256``: the hash of the weights it began with."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    dataset_sha256: str
    vms: tuple[str, ...]
    train_share: float
    warm_start_sha256: str | None


class ModelDocument(BaseModel):
    """Everything but the weights. ``ancestors`` are the trainings that a warm start stands on, the newest
    first; models of before they were kept have none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: Annotated[Literal["testbedctl.model/1"], Field(alias="schema")] = SCHEMA
    config: TrainingConfig
    dataset_name: str
    dataset_sha256: str
    step_s: Annotated[float, Field(gt=0)]
    units: Units
    features: dict[str, str]
    scaler: dict[str, Any]
    vms: tuple[str, ...]
    skipped: tuple[str, ...]
    history: Annotated[tuple[Epoch, ...], Field(min_length=1)]
    parameters: int
    threads: int
    torch: str
    tool: str
    warm_start_sha256: str | None
    ancestors: tuple[Learned, ...] = ()
    weights_sha256: str = ""

    @property
    def lineage(self) -> tuple[Learned, ...]:
        """All trainings that these weights come from, the newest first."""
        own = Learned(
            dataset_sha256=self.dataset_sha256,
            vms=self.vms,
            train_share=self.config.train_share,
            warm_start_sha256=self.warm_start_sha256,
        )
        return (own, *self.ancestors)

    def learned_from(self, dataset_sha256: str) -> frozenset[str] | None:
        """The VMs of a data set that these weights come from; None if not all trainings are known."""
        if self.lineage[-1].warm_start_sha256 is not None:
            return None
        here = [each for each in self.lineage if each.dataset_sha256 == dataset_sha256]
        return frozenset(vm for each in here for vm in each.vms)

    @property
    def best(self) -> Epoch:
        """The epoch whose weights were kept."""
        return best_of(self.history)


def best_of(history: Sequence[Epoch]) -> Epoch:
    """The epoch with the least validation loss, the earliest of equal ones."""
    return min(history, key=lambda epoch: epoch.validation_loss)
