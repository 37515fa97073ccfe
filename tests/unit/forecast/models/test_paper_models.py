"""The paper's two models, layer by layer (§7.1, §7.2)."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'testbedctl[train]'")
from torch import nn  # noqa: E402 - torch may be absent

from testbedctl.forecast.models.registry import build  # noqa: E402
from testbedctl.forecast.models.transformer import positional_encoding  # noqa: E402


def layers(module: nn.Module, kind: type[Any]) -> list[Any]:
    return [each for each in module.modules() if isinstance(each, kind)]


def sizes(module: nn.Module) -> list[tuple[int, int]]:
    return [(each.in_features, each.out_features) for each in layers(module.dense, nn.Linear)]


def test_the_lstm_has_the_papers_layers() -> None:
    model = build("lstm", 3, 1)
    (recurrent,) = layers(model, nn.LSTM)
    assert (recurrent.input_size, recurrent.hidden_size, recurrent.num_layers) == (4, 40, 1)
    assert sizes(model) == [(40, 128), (128, 64), (64, 32), (32, 4)]
    assert len(layers(model, nn.ReLU)) == 3
    assert len(layers(model, nn.Sigmoid)) == 1
    assert [each.p for each in layers(model, nn.Dropout)] == [0.2] * 4


def test_the_transformer_has_the_papers_layers() -> None:
    model = build("transformer", 3, 1)
    blocks = list(model.blocks)
    assert len(blocks) == 4
    for block in blocks:
        (attention,) = layers(block, nn.MultiheadAttention)
        assert (attention.num_heads, attention.dropout) == (4, 0.1)
        assert len(layers(block, nn.Conv1d)) == len(layers(block, nn.ReLU)) == 2
        assert len(layers(block, nn.LayerNorm)) == 2
        assert {each.p for each in layers(block, nn.Dropout)} == {0.1}
    assert sizes(model)[1:] == [(128, 128), (128, 32), (32, 4)]
    assert [each.p for each in layers(model.dense, nn.Dropout)] == [0.2] * 3
    assert len(layers(model.dense, nn.Sigmoid)) == 1


@pytest.mark.parametrize("name", ["lstm", "transformer"])
@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (3, 1), (24, 6)])
def test_from_a_window_to_each_step_ahead_within_the_unit_range(name: str, window: int, horizon: int) -> None:
    output = build(name, window, horizon).eval()(100 * torch.rand(5, window, 4))
    assert output.shape == (5, horizon, 4, 1)
    assert output.min() >= 0
    assert output.max() <= 1


def test_a_longer_horizon_widens_the_last_layer_alone() -> None:
    one, six = sizes(build("lstm", 3, 1)), sizes(build("lstm", 3, 6))
    assert six[:-1] == one[:-1]
    assert six[-1] == (32, 24)


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_the_order_of_the_steps_matters(name: str) -> None:
    """Attention and pooling alone would not tell it: the positional encoding does."""
    torch.manual_seed(0)
    model = build(name, 6, 1).eval()
    history = torch.rand(4, 6, 4)
    assert not torch.allclose(model(history), model(history.flip(1)), atol=1e-6)


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_dropout_acts_in_training_alone(name: str) -> None:
    model, history = build(name, 3, 1), torch.rand(4, 3, 4)
    assert not torch.equal(model.train()(history), model(history))
    assert torch.equal(model.eval()(history), model(history))


def test_weights_begin_as_in_keras() -> None:
    torch.manual_seed(0)
    model = build("lstm", 3, 1)
    (recurrent,) = layers(model, nn.LSTM)
    hidden = recurrent.weight_hh_l0
    assert torch.allclose(hidden.T @ hidden, torch.eye(40), atol=1e-5)
    bias = (recurrent.bias_ih_l0 + recurrent.bias_hh_l0).view(4, 40)
    assert bias.sum(dim=1).tolist() == [0, 40, 0, 0]
    for layer in layers(model.dense, nn.Linear):
        assert not layer.bias.any()
        bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
        assert 0.9 * bound < layer.weight.abs().max() <= bound


def test_positions_are_told_by_sines_and_cosines_of_falling_frequency() -> None:
    encoding = positional_encoding(10, 8)
    steps = torch.arange(10, dtype=torch.float32)
    assert encoding.shape == (10, 8)
    assert torch.allclose(encoding[:, 0], steps.sin(), atol=1e-6)
    assert torch.allclose(encoding[:, 1], steps.cos(), atol=1e-6)
    assert torch.allclose(encoding[:, 6], (steps / 1000).sin(), atol=1e-6)
