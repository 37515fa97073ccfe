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


class ModelDocument(BaseModel):
    """Everything but the weights."""

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
    weights_sha256: str = ""

    @property
    def best(self) -> Epoch:
        """The epoch whose weights were kept."""
        return best_of(self.history)


def best_of(history: Sequence[Epoch]) -> Epoch:
    """The epoch with the least validation loss, the earliest of equal ones."""
    return min(history, key=lambda epoch: epoch.validation_loss)
