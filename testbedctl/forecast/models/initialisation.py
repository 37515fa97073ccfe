"""The weights that the paper's models begin with: those of Keras, in which they were written (§8.4).

It matters: with torch's own the same LSTM stays for some epochs at a constant forecast, and early stopping
ends it there (``docs/explanation/forecasting.md``).
"""

from __future__ import annotations

from torch import nn


def begin_as_keras(model: nn.Module) -> None:
    """Glorot-uniform weights and no bias; orthogonal recurrent weights; an open forget gate (bias 1)."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d) and layer.bias is not None:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.LSTM):
            _begin_lstm(layer)


def _begin_lstm(layer: nn.LSTM) -> None:
    for name, weight in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(weight)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(weight)
        else:
            nn.init.zeros_(weight)
            if name.startswith("bias_ih"):  # torch adds a second bias; gates are in the order i, f, g, o
                nn.init.ones_(weight[layer.hidden_size : 2 * layer.hidden_size])
