"""What a torch module is made of, read from the module itself: Figures 9 and 10 of the predictive-slicing
paper.

The module is traced symbolically with ``torch.fx``: layers, shapes and numbers of weights are what really
runs.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from testbedctl.errors import RunFailed

if TYPE_CHECKING:
    from torch import fx, nn


@dataclass(frozen=True)
class Layer:
    """One box: what it is, what follows it without weights of its own, the shape that comes out (without the
    batch), and its weights. ``block`` names the repeated part that it belongs to, ``times`` how often."""

    title: str
    after: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int
    block: str = ""
    times: int = 1


def layers_of(module: nn.Module, window: int) -> list[Layer]:
    """The layers in the order in which they run, from float32[window, 4] to the forecast; of equal blocks
    that follow each other only the first.

    Raises ``RunFailed`` for a module that cannot be traced.
    """
    import torch
    from torch import fx
    from torch.fx.passes.shape_prop import ShapeProp

    try:
        traced = fx.symbolic_trace(module)
        ShapeProp(traced).propagate(torch.zeros(1, window, 4))
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        raise RunFailed(
            f"the layers of {type(module).__name__} cannot be drawn: {error}",
            hint="a module is drawn if its forward has no branches that depend on the values",
        ) from error
    layers: list[Layer] = []
    for node in traced.graph.nodes:
        _read(node, traced, layers)
    return list(_folded(layers))


def _read(node: fx.Node, traced: fx.GraphModule, layers: list[Layer]) -> None:
    """Add a layer, or what a node without weights does to the last one."""
    shape = _shape(node)
    if node.op == "placeholder":
        layers.append(Layer("input", (), shape, 0))
    elif node.op == "call_module":
        part = traced.get_submodule(str(node.target))
        weights = sum(each.numel() for each in part.parameters())
        if weights:
            layers.append(Layer(_title(part), (), shape, weights, _block(str(node.target), traced)))
        elif word := _word(part):
            _append(layers, word, shape)
    elif node.target == "mean":
        layers.append(Layer("mean over the steps", (), shape, 0))
    elif node.target is operator.add:
        fixed = [each for each in node.args if getattr(each, "op", "") == "get_attr"]
        _append(layers, f"{fixed[0]} added" if fixed else "residual added", shape)
    elif node.target is operator.getitem and shape:
        _append(layers, "last step" if isinstance(node.args[1], tuple) else "", shape)


def _append(layers: list[Layer], word: str, shape: tuple[int, ...]) -> None:
    last = layers[-1]
    layers[-1] = replace(last, after=(*last.after, word) if word else last.after, shape=shape or last.shape)


def _shape(node: fx.Node) -> tuple[int, ...]:
    found = getattr(node.meta.get("tensor_meta"), "shape", None)
    return tuple(found[1:]) if found is not None else ()


def _title(part: nn.Module) -> str:
    from torch import nn

    if isinstance(part, nn.LSTM | nn.GRU):
        return f"{type(part).__name__}, {part.hidden_size} cells" + ", tanh" * isinstance(part, nn.LSTM)
    if isinstance(part, nn.MultiheadAttention):
        return f"attention, {part.num_heads} heads of {part.head_dim}"
    if isinstance(part, nn.Conv1d):
        return f"1-D convolution, {part.out_channels} filters, kernel {part.kernel_size[0]}"
    if isinstance(part, nn.Linear):
        return f"dense, {part.out_features}"
    return "layer norm" if isinstance(part, nn.LayerNorm) else type(part).__name__


def _word(part: nn.Module) -> str:
    from torch import nn

    if isinstance(part, nn.Dropout):
        return f"dropout {part.p:g}"
    return "" if isinstance(part, nn.Identity) else type(part).__name__


def _block(path: str, module: Any) -> str:
    """The first part of a path that is one of several alike, such as ``blocks.0``; "" if there is none."""
    parts = path.split(".")
    for depth in range(1, len(parts)):
        siblings = list(module.get_submodule(".".join(parts[:depth])).children())
        kinds = {type(each).__name__ for each in siblings}
        if len(siblings) > 1 and len(kinds) == 1 and any(siblings[0].children()):
            return ".".join(parts[: depth + 1])
    return ""


def _folded(layers: list[Layer]) -> Iterator[Layer]:
    """Equal blocks in a row become the first of them, ``times`` their number; others stay as they are."""
    blocks: list[list[Layer]] = []
    for layer in layers:
        if blocks and layer.block and blocks[-1][0].block == layer.block:
            blocks[-1].append(layer)
        else:
            blocks.append([layer])
    while blocks:
        first = blocks.pop(0)
        times = 1
        while first[0].block and blocks and _same(first, blocks[0]):
            blocks.pop(0)
            times += 1
        yield from (replace(layer, times=times) for layer in first)


def _same(one: list[Layer], other: list[Layer]) -> bool:
    return [replace(each, block="") for each in one] == [replace(each, block="") for each in other]
