"""Draws the layers of a model: a box for each, with the shape that comes out and its number of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from testbedctl.forecast.evaluation.architecture import Layer
from testbedctl.render.drawing import BLUE, GREEN, GREY, ORANGE, Drawing

_BOX_HEIGHT, _GAP = 0.62, 0.26
_LEFT, _RIGHT = 0.6, 6.2
_DENSE = "#E69F00"
_FILLS = {
    "LSTM": BLUE,
    "GRU": BLUE,
    "attention": ORANGE,
    "1-D": GREEN,
    "dense": _DENSE,
}
"""Colour by the first word of a layer; others are grey."""


def architecture_figure(layers: Sequence[Layer], name: str, caption: str) -> Drawing:
    """``layers`` from top to bottom; what is repeated stands in a frame."""
    step = _BOX_HEIGHT + _GAP
    height = len(layers) * step

    def draw(canvas: Any) -> None:
        axes = canvas.add_subplot()
        axes.set(xlim=(0, 7.6), ylim=(-height, 0.1))
        axes.axis("off")
        axes.set_title(caption)
        for place, layer in enumerate(layers):
            top = -place * step
            _box(axes, layer, top)
            if place:
                _arrow(axes, top + _GAP, top)
        _frames(axes, layers, step)

    return Drawing(name, caption, draw, (6.0, 0.8 * height + 0.3))


def _box(axes: Any, layer: Layer, top: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    colour = next((fill for word, fill in _FILLS.items() if layer.title.startswith(word)), GREY)
    bottom, width = top - _BOX_HEIGHT, _RIGHT - _LEFT
    style = "round,pad=0,rounding_size=0.08"
    fills: tuple[dict[str, Any], ...] = (
        {"facecolor": colour, "alpha": 0.16, "linewidth": 0},
        {"fill": False, "edgecolor": colour},
    )
    for fill in fills:
        axes.add_patch(FancyBboxPatch((_LEFT, bottom), width, _BOX_HEIGHT, boxstyle=style, **fill))
    middle = bottom + _BOX_HEIGHT / 2
    axes.text(_LEFT + 0.15, middle + (0.13 if layer.after else 0), layer.title, va="center", weight="bold")
    axes.text(_LEFT + 0.15, middle - 0.14, " · ".join(layer.after), va="center", fontsize=8.5)
    shape = " × ".join(map(str, layer.shape))
    axes.text(_RIGHT - 0.15, middle + 0.13, shape, va="center", ha="right", fontsize=9)
    weights = f"{layer.parameters:,} weights" if layer.parameters else "no weights"
    axes.text(_RIGHT - 0.15, middle - 0.14, weights, va="center", ha="right", fontsize=8.5, color=GREY)


def _arrow(axes: Any, start: float, end: float) -> None:
    middle = (_LEFT + _RIGHT) / 2
    style = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (middle, end), (middle, start), arrowprops=style)


def _frames(axes: Any, layers: Sequence[Layer], step: float) -> None:
    """A frame around each run of layers of a repeated block."""
    from matplotlib.patches import Rectangle

    for block in dict.fromkeys(layer.block for layer in layers if layer.times > 1):
        places = [place for place, layer in enumerate(layers) if layer.block == block]
        top, bottom = -places[0] * step + 0.11, -places[-1] * step - _BOX_HEIGHT - 0.11
        corner, width = (_LEFT - 0.2, bottom), _RIGHT - _LEFT + 0.4
        frame: dict[str, Any] = {"fill": False, "edgecolor": GREY, "linestyle": "--", "linewidth": 1.2}
        axes.add_patch(Rectangle(corner, width, top - bottom, **frame))
        times = layers[places[0]].times
        axes.text(_RIGHT + 0.35, (top + bottom) / 2, f"× {times}", va="center", fontsize=14, color=GREY)
