"""A model that forecasts the change from now, in units of the range of its own window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from testbedctl.ports import RESOURCES

FLOOR = 1e-9
"""Under a range: a window that stands still is forecast to go on doing so, and nothing is divided by 0."""

BEND = 0.05
"""Where the second coding bends, as a part of the range: below it small differences are told apart although a
burst elsewhere in the window sets the range."""

PINBALL_SHARE = 0.05
"""Weight of the quantiles' loss beside that of the mean: small, since the layers are shared and the mean is
what models are compared by. The quantiles' own last layer learns as fast with any weight."""

LARGEST_MISS = 20.0
"""Ranges beyond which a miss does not count further in the quantiles' loss."""


class Change(nn.Module):
    """One net for all resources: a resource's own window and the last steps of all four → ReLU layers → the
    changes from the last value to each step ahead, mean first, then quantiles that cannot cross.

    Each window is coded by its own lowest and highest value. So the forecast moves and stretches with the
    window (f(a·x + b) = a·f(x) + b for each resource), and a VNF never seen before needs no limits.
    ``docs/explanation/better-model.md`` says what else was tried.
    """

    def __init__(
        self,
        window: int,
        horizon: int,
        quantiles: Sequence[float] = (),
        *,
        beside: int = 12,
        hidden: Sequence[int] = (192, 128),
        dropout: float = 0.1,
    ):
        """``window`` and ``horizon`` in steps; of all four resources each sees the last ``beside`` steps;
        ``hidden`` are the sizes of the layers, ``dropout`` acts behind each."""
        super().__init__()
        self.horizon, self.quantiles = horizon, tuple(quantiles)
        self.beside = min(beside, window)
        resources = len(RESOURCES)
        self.own = nn.Linear(2 * window, hidden[0])
        self.all = nn.Linear(2 * self.beside * resources, resources * hidden[0])
        layers: list[nn.Module] = [nn.ReLU(), nn.Dropout(dropout)]
        for inputs, outputs in pairwise(hidden):
            layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], horizon * (1 + len(self.quantiles))))

    def forward(self, history: Tensor) -> Tensor:
        """From float32[b, window, 4] to float32[b, horizon, 4, 1 + quantiles], in the units of the window.

        In use no forecast is below 0. In training they are not cut, since a cut value has no gradient.
        """
        low, span = history.amin(1, keepdim=True), _range(history)
        position = (history - low) / (span + FLOOR)
        plain, bent = 2 * position - 1, position * (2 * (1 + BEND)) / (position + BEND) - 1
        own = self.own(torch.cat([plain, bent], dim=1).transpose(1, 2))
        late = torch.cat([plain[:, -self.beside :], bent[:, -self.beside :]], dim=1)
        features = own + self.all(late.flatten(1)).unflatten(1, (len(RESOURCES), -1))
        steps = self.layers(features).unflatten(2, (self.horizon, -1)).transpose(1, 2)
        forecast = history[:, -1:, :, None] + span[..., None] * _ordered(steps)
        return forecast if self.training else relu(forecast)

    def loss(self, output: Tensor, target: Tensor, history: Tensor) -> Tensor:
        """RMSE of the mean, averaged over the resources as the metric is (§7), where step k ahead weighs 1/k;
        and the pinball loss of the quantiles in ranges of the window, so that a quiet VM counts as much as a
        busy one."""
        error = ((output[..., 0] - target).square().mean(dim=0) + FLOOR).sqrt().mean(dim=1)
        weight = 1 / torch.arange(1, self.horizon + 1)
        loss = (weight * error).sum() / weight.sum()
        if not self.quantiles:
            return loss
        span = _range(history)[..., None]
        misses = torch.where(span > 0, (target[..., None] - output[..., 1:]) / (span + FLOOR), 0)
        share = torch.tensor(self.quantiles)
        pinball = torch.maximum(share * misses, (share - 1) * misses)
        return loss + PINBALL_SHARE * pinball.clamp(max=LARGEST_MISS).mean()


def _range(history: Tensor) -> Tensor:
    """Highest less lowest value of each window and resource, [b, 1, 4]."""
    return history.amax(1, keepdim=True) - history.amin(1, keepdim=True)


def _ordered(steps: Tensor) -> Tensor:
    """The last axis as mean and ascending quantiles: each after the first is the one before and something
    added, and (x + √(x² + 0.01)) ÷ 2 is not below 0 for any x."""
    mean, first, rest = steps[..., :1], steps[..., 1:2], steps[..., 2:]
    added = (rest + (rest.square() + 0.01).sqrt()) / 2
    return torch.cat([mean, torch.cat([first, added], dim=-1).cumsum(-1)], dim=-1)
