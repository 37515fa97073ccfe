"""The LSTM of the predictive-slicing paper (§7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from testbedctl.forecast.models.dense import Dense
from testbedctl.forecast.models.initialisation import begin_as_keras


class Lstm(nn.Module):
    """40 cells (tanh) → 128 → 64 → 32 (ReLU) → 4 per step ahead (sigmoid), dropout 0.2.

    Read into the text: dropout acts on what the recurrent layer hands on and behind each dense layer; a
    longer horizon widens the last layer.
    """

    bounded: ClassVar[bool] = True

    def __init__(
        self,
        window: int,  # noqa: ARG002 - what every model is told; a recurrent layer takes any
        horizon: int,
        *,
        cells: int = 40,
        dense: Sequence[int] = (128, 64, 32),
        dropout: float = 0.2,
    ):
        """``horizon`` in steps; the paper's values are the defaults."""
        super().__init__()
        self.recurrent = nn.LSTM(4, cells, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.dense = Dense(cells, dense, horizon, dropout)
        begin_as_keras(self)

    def forward(self, history: Tensor) -> Tensor:
        """From float32[b, window, 4] in [0, 1] to float32[b, horizon, 4, 1] in [0, 1]."""
        states, _ = self.recurrent(history)
        forecast: Tensor = self.dense(self.dropout(states[:, -1]))
        return forecast
