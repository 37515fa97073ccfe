"""What decides a training: the same configuration, data and seed give the same model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from testbedctl.spec.testbed import broken_rule

Scaling = Literal["per-vm", "global", "none"]
"""``per-vm`` and ``global``: min–max to [0, 1], fitted on the training part alone, of each VM or of all
together; ``none``: values as they are, for models that normalise each window themselves, and for ratios of an
allotment."""
Schedule = Literal["constant", "cosine"]
"""The learning rate: the same throughout, or rising over the first 5 % of all batches and then falling to 0
with the half of a cosine."""


class TrainingConfig(BaseModel):
    """Defaults are those of the predictive-slicing paper (§7): windows of three steps, one step ahead, MAE,
    Adam, early stopping after 10 epochs without improvement. It names no batch size and no learning rate:
    these are the defaults of Keras, which it used (§8.4)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Annotated[str, Field(description="lstm, transformer, or another registered model")] = "lstm"
    window: Annotated[int, Field(ge=1, le=1000, description="past steps that a forecast sees")] = 3
    horizon: Annotated[int, Field(ge=1, le=30, description="steps ahead")] = 1
    scaling: Scaling = "per-vm"
    quantiles: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(description="quantiles beside the mean, ascending"),
    ] = ()
    train_share: Annotated[float, Field(gt=0, lt=1, description="first part of each VM, by time")] = 0.8
    validation_share: Annotated[
        float, Field(gt=0, lt=1, description="last part of the training part, for early stopping")
    ] = 0.1
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 100
    patience: Annotated[
        int, Field(ge=1, le=1000, description="epochs without improvement before the end")
    ] = 10
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    schedule: Annotated[Schedule, Field(description="how the learning rate changes over the epochs")] = (
        "constant"
    )
    windows_per_epoch: Annotated[
        int | None, Field(ge=1, description="random windows per epoch; all of them if left out")
    ] = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    options: Annotated[dict[str, Any], Field(description="keyword arguments of the model's class")] = {}

    @field_validator("quantiles")
    @classmethod
    def _ascending(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if list(quantiles) != sorted(set(quantiles)):
            raise broken_rule("quantiles ascend, each once")
        return quantiles
