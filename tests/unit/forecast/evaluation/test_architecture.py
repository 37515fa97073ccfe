"""The layers of a model as they are read from its module."""

from __future__ import annotations

import pytest
from unit.forecast.trained import NO_TORCH

from testbedctl.errors import RunFailed
from testbedctl.forecast.evaluation.architecture import Layer, layers_of
from testbedctl.forecast.evaluation.architecture_figure import architecture_figure
from testbedctl.render.drawing import image

torch = pytest.importorskip("torch", reason=NO_TORCH)


def layers(model: str, window: int = 3, horizon: int = 1, **options: object) -> tuple[list[Layer], int]:
    """The layers, and how many weights the module has."""
    from testbedctl.forecast.models.registry import build

    module = build(model, window, horizon, **options).eval()
    return layers_of(module, window), sum(each.numel() for each in module.parameters())


def test_the_lstm_has_the_layers_of_section_7_1() -> None:
    found, weights = layers("lstm")
    assert [(layer.title, layer.shape) for layer in found] == [
        ("input", (3, 4)),
        ("LSTM, 40 cells, tanh", (40,)),
        ("dense, 128", (128,)),
        ("dense, 64", (64,)),
        ("dense, 32", (32,)),
        ("dense, 4", (4,)),
    ]
    assert found[1].after == ("last step", "dropout 0.2")
    assert found[2].after == ("ReLU", "dropout 0.2")
    assert found[-1].after == ("Sigmoid",)
    assert sum(layer.parameters for layer in found) == weights


def test_the_transformer_has_four_equal_blocks() -> None:
    found, weights = layers("transformer")
    block = [layer for layer in found if layer.times == 4]
    assert sorted(layer.title.partition(",")[0] for layer in block) == [
        "1-D convolution", "1-D convolution", "attention", "layer norm", "layer norm"
    ]  # fmt: skip
    assert any(layer.title.startswith("attention, 4 heads") for layer in block)
    assert sum(layer.parameters * layer.times for layer in found) == weights
    assert [layer.title for layer in found if layer.times == 1][-5:] == [
        "mean over the steps", "dense, 128", "dense, 128", "dense, 32", "dense, 4"
    ]  # fmt: skip


def test_another_module_gives_other_numbers() -> None:
    found, _ = layers("lstm", window=6, horizon=2, cells=8)
    assert found[0].shape == (6, 4)
    assert found[1].title == "LSTM, 8 cells, tanh"
    assert found[-1].shape == (8,)


def test_a_module_that_branches_on_values_is_refused() -> None:
    class Branching(torch.nn.Module):
        def forward(self, history: torch.Tensor) -> torch.Tensor:
            return history if history.sum() > 0 else -history

    with pytest.raises(RunFailed, match="layers of Branching cannot be drawn"):
        layers_of(Branching(), 3)


def test_it_is_drawn() -> None:
    found, _ = layers("transformer")
    drawing = architecture_figure(found, "architecture", "Figure 10")
    assert b"\x89PNG" in image(drawing, "png")[:8]
    from matplotlib.figure import Figure

    canvas = Figure()
    drawing.draw(canvas)
    words = [text.get_text() for text in canvas.axes[0].texts]
    assert "× 4" in words
    assert f"{found[1].parameters:,} weights" in words
