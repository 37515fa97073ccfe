"""Models of the tests: built, never trained, and as quick to export as they are to make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from testbedctl.forecast.dataset.features import feature_names
from testbedctl.forecast.series import Units
from testbedctl.forecast.training.config import TrainingConfig
from testbedctl.forecast.training.document import Epoch, ModelDocument
from testbedctl.forecast.training.trained import TrainedModel

NO_TORCH = "torch is not installed: pip install 'testbedctl[train]'"
LIMITS = {"*": {"low": [0.0, 1000.0, 0.0, 7.0], "high": [2600.0, 6e7, 5.0, 7.0]}}
"""Of a global scaler; the network of these VMs never changed."""


def trained(
    units: Units = "allotment",
    *,
    step_s: float = 1.0,
    limits: Mapping[str, Any] = LIMITS,
    seed: int = 0,
    **config: Any,
) -> TrainedModel:
    """An LSTM of few cells with random weights, or what ``config`` says of another model."""
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    from testbedctl.forecast.models.registry import build

    asked = TrainingConfig(**{"scaling": "none", **config})
    torch.manual_seed(seed)
    module = build(asked.model, asked.window, asked.horizon, asked.quantiles, **asked.options)
    document = ModelDocument(
        config=asked,
        dataset_name="made-up",
        dataset_sha256="ab" * 32,
        step_s=step_s,
        units=units,
        features=feature_names(units),
        scaler={"kind": asked.scaling, "limits": dict(limits) if asked.scaling == "global" else {}},
        vms=("service1/vdpi",),
        skipped=(),
        history=(Epoch(1, 0.3, 0.2, 1.5), Epoch(2, 0.2, 0.1, 1.5)),
        parameters=sum(each.numel() for each in module.parameters()),
        threads=1,
        torch="test",
        tool="test",
        warm_start_sha256=None,
    )
    return TrainedModel(document, module.state_dict())
