"""A trained module as an ONNX graph in the data set's own units, with its scaler inside."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from testbedctl.errors import RunFailed
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbedctl.forecast.protocol.scaling import Scaler

    Floats = NDArray[np.float32]
    Run = Callable[[Floats], Sequence[Floats]]

OPSET = 17
"""Has all that the models need, and every onnxruntime since 1.14 (2023) reads it."""

TOLERANCE = 1e-4
"""How far onnxruntime may be from torch, as a part of the largest value in the window or forecast."""

EQUIVARIANT = 0.01
"""How far a model may be from moving and stretching with its window, as a part of the window's range: a tiny
floor under the range, and rounding far from 0."""

_CHECKED_BATCHES = (1, 2, 37)


class InOwnUnits(nn.Module):
    """Scale → model → scale back, and no forecast below 0."""

    low: Tensor
    span: Tensor
    per_span: Tensor

    def __init__(self, model: nn.Module, scaler: Scaler):
        """``scaler`` has the limits of all VMs together, or none at all."""
        super().__init__()
        self.model, self.scaled = model, scaler.kind == "global"
        low, high = scaler.limits("")
        span = high - low
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("span", torch.tensor(span))
        # a resource that never changed in training scales to 0, as it does there
        self.register_buffer("per_span", torch.tensor(np.where(span > 0, 1 / np.where(span > 0, span, 1), 0)))

    def forward(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """From [vnf, window, 4] to mean [vnf, horizon, 4] and quantiles [vnf, horizon, 4, q]."""
        if not self.scaled:
            forecast = self.model(history)
        else:
            scaled = self.model(((history - self.low) * self.per_span).clamp(0, 1))
            forecast = scaled * self.span[:, None] + self.low[:, None]
        forecast = torch.relu(forecast)
        return forecast[..., 0], forecast[..., 1:]


def is_equivariant(model: nn.Module, window: int) -> bool:
    """Whether the forecast moves and stretches as its window does: f(a·x + b) = a·f(x) + b, per resource.

    Such a model, trained on values of any linear scale, forecasts in all others too. It is tried on windows
    well above 0, where a model that forecasts nothing below 0 does not cut.
    """
    random = np.random.default_rng(0)
    shape = (_CHECKED_BATCHES[-1], 1, len(RESOURCES))
    stretch, shift = 10.0 ** random.uniform(-2, 6, shape), random.uniform(0, 100, shape)
    windows = 2 + random.random((shape[0], window, shape[2]))
    with torch.no_grad():
        plain, moved = (
            model(torch.from_numpy(values.astype(np.float32))).numpy()
            for values in (windows, stretch * (windows + shift))
        )
    expected = stretch[..., np.newaxis] * (plain + shift[..., np.newaxis])
    # a part of the range of the window, since that is what such a model works with
    return bool((np.abs(moved - expected) <= EQUIVARIANT * stretch[..., np.newaxis]).all())


def to_onnx(module: InOwnUnits, window: int) -> onnx.ModelProto:
    """The graph with a free batch axis.

    The exporter by tracing makes one fused GRU or LSTM node, as the one by ``torch.export`` does; both graphs
    ran equally fast, and tracing takes 0.1 s instead of 3 s and needs no onnxscript. What tracing could
    freeze, such as the size of the batch, ``check`` would find.
    """
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether what these warn of is true, `check` finds out
        torch.onnx.export(
            module,
            (torch.zeros(1, window, len(RESOURCES)),),
            stream,  # type: ignore[arg-type]  # as the exporter by tracing takes it
            dynamo=False,
            opset_version=OPSET,
            input_names=["history"],
            output_names=["mean", "quantiles"],
            dynamic_axes={name: {0: "vnf"} for name in ("history", "mean", "quantiles")},
        )
    graph = onnx.load_from_string(stream.getvalue())
    del graph.metadata_props[:]
    return graph


def check(module: InOwnUnits, window: int, run: Run) -> None:
    """Compare torch with the exported graph on batches of several sizes and magnitudes.

    ``run`` predicts with the exported one. Raises ``RunFailed`` if they differ by more than ``TOLERANCE``.
    """
    random = np.random.default_rng(0)
    span = module.span.numpy()
    top = np.where(span > 0, span, 1)
    for batch in _CHECKED_BATCHES:
        size = top * 10.0 ** random.uniform(-3, 0.3, (batch, 1, len(RESOURCES)))
        history = (random.random((batch, window, len(RESOURCES))) * size).astype(np.float32)
        history[0] = history[0, :1]  # a VNF that stands still
        with torch.no_grad():
            expected = [part.numpy() for part in module(torch.from_numpy(history))]
        for name, ours, theirs in zip(("mean", "quantiles"), run(history), expected, strict=True):
            _compare(name, history, ours, theirs)


def _compare(name: str, history: Floats, ours: Floats, theirs: Floats) -> None:
    if ours.shape != theirs.shape:
        raise _differs(f"{name} has the shape {ours.shape} instead of {theirs.shape}")
    for place, resource in enumerate(RESOURCES):
        mine, torchs = ours[:, :, place], theirs[:, :, place]
        largest = max(float(history[:, :, place].max()), float(np.abs(torchs).max(initial=0.0)))
        difference = float(np.abs(mine - torchs).max(initial=0.0))
        if not difference <= TOLERANCE * largest:
            raise _differs(f"{name} of {resource} by {difference:.3g}, with values up to {largest:.3g}")


def _differs(how: str) -> RunFailed:
    return RunFailed(
        f"the exported model does not forecast what the trained one does: {how}",
        hint="the model has an operation that ONNX does not have in this form; nothing was written",
    )
