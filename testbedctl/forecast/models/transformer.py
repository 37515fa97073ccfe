"""The Transformer of the predictive-slicing paper (§7.2): encoder blocks, pooling, dense layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from testbedctl.forecast.models.dense import Dense
from testbedctl.forecast.models.initialisation import begin_as_keras


class Block(nn.Module):
    """One encoder block: attention, then two 1-D convolutions with ReLU; each after layer norm, and added."""

    def __init__(self, width: int, heads: int, filters: int, kernel: int, dropout: float):
        """``width`` of each step's features; ``kernel`` in steps."""
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.convolutions = nn.Sequential(
            nn.Conv1d(width, filters, kernel, padding="same"),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(filters, width, kernel, padding="same"),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, steps: Tensor) -> Tensor:
        """From float32[b, window, width] to the same."""
        normed = self.norms[0](steps)
        attended, _ = self.attention(normed, normed, normed, need_weights=False)
        steps = steps + self.dropout(attended)
        convolved = self.convolutions(self.norms[1](steps).transpose(1, 2)).transpose(1, 2)
        encoded: Tensor = steps + self.dropout(convolved)
        return encoded


class Transformer(nn.Module):
    """Four encoder blocks with 4 heads (dropout 0.1), global average pooling over the steps, 128 → 128 → 32
    (ReLU, dropout 0.2) → 4 per step ahead (sigmoid).

    Not in the text: the embedding (a linear layer from 4 features to ``heads * head_size``), the positional
    encoding (sine and cosine, as in Vaswani et al. 2017, §3.5), where the layer norms stand (in front of each
    half of a block), the size of a head, the number of filters and the kernel. Why these:
    ``docs/explanation/forecasting.md``.
    """

    bounded: ClassVar[bool] = True

    def __init__(
        self,
        window: int,
        horizon: int,
        *,
        blocks: int = 4,
        heads: int = 4,
        head_size: int = 16,
        filters: int = 64,
        kernel: int = 1,
        dense: Sequence[int] = (128, 128, 32),
        dropout: float = 0.2,
        block_dropout: float = 0.1,
    ):
        """``window`` and ``horizon`` in steps; where the paper has a value it is the default."""
        super().__init__()
        width = heads * head_size
        self.embedding = nn.Linear(4, width)
        self.register_buffer("positions", positional_encoding(window, width), persistent=False)
        self.blocks = nn.Sequential(
            *(Block(width, heads, filters, kernel, block_dropout) for _ in range(blocks))
        )
        self.dense = Dense(width, dense, horizon, dropout)
        begin_as_keras(self)

    def forward(self, history: Tensor) -> Tensor:
        """From float32[b, window, 4] in [0, 1] to float32[b, horizon, 4, 1] in [0, 1]."""
        encoded = self.blocks(self.embedding(history) + self.positions)
        forecast: Tensor = self.dense(encoded.mean(dim=1))
        return forecast


def positional_encoding(window: int, width: int) -> Tensor:
    """float32[window, width]: sine in even columns, cosine in odd ones (Vaswani et al. 2017, §3.5)."""
    angles = torch.arange(window)[:, None] * torch.exp(
        torch.arange(0, width, 2) * (-math.log(10_000.0) / width)
    )
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]
