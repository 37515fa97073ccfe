"""The dense layers at the end of both models of the predictive-slicing paper (§7.1, §7.2)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from testbedctl.ports import RESOURCES


class Dense(nn.Module):
    """Dense layers with ReLU and dropout, then a sigmoid layer with a neuron per resource and step ahead."""

    def __init__(self, inputs: int, sizes: Sequence[int], horizon: int, dropout: float):
        """``inputs`` features; ``sizes`` of the layers; ``horizon`` in steps."""
        super().__init__()
        layers: list[nn.Module] = []
        for size in sizes:
            layers += [nn.Linear(inputs, size), nn.ReLU(), nn.Dropout(dropout)]
            inputs = size
        outputs = horizon * len(RESOURCES)
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, outputs), nn.Sigmoid())
        self.horizon = horizon

    def forward(self, features: Tensor) -> Tensor:
        """From float32[b, inputs] to float32[b, horizon, 4, 1] in [0, 1]."""
        return self.layers(features).reshape(-1, self.horizon, len(RESOURCES), 1)  # type: ignore[no-any-return]
