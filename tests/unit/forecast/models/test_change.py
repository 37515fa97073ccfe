"""The model of the change: it moves and stretches with its window, and its quantiles are in order."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'testbedctl[train]'")
from torch import Tensor, nn  # noqa: E402 - torch may be absent

from testbedctl.errors import UsageError  # noqa: E402
from testbedctl.forecast.models.registry import build  # noqa: E402

QUANTILES = (0.1, 0.5, 0.9)


def model(window: int = 24, horizon: int = 6, quantiles: tuple[float, ...] = QUANTILES) -> nn.Module:
    torch.manual_seed(0)
    return build("change", window, horizon, quantiles, hidden=(32, 16)).eval()


def windows(many: int = 64, window: int = 24) -> Tensor:
    """High above 0, so that no forecast is cut there."""
    return 10 + torch.rand(many, window, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (3, 30), (48, 6)])
def test_from_a_window_to_mean_and_quantiles_of_each_step(window: int, horizon: int) -> None:
    assert model(window, horizon)(windows(5, window)).shape == (5, horizon, 4, 4)
    assert model(window, horizon, ())(windows(5, window)).shape == (5, horizon, 4, 1)


def test_the_forecast_moves_and_stretches_with_the_window() -> None:
    history = windows()
    stretch = torch.tensor([0.5, 2.0, 1000.0, 1.0])
    shift = torch.tensor([3.0, 0.0, 500.0, -2.0])
    forecast, moved = model()(history), model()(stretch * history + shift)
    expected = stretch[:, None] * forecast + shift[:, None]
    assert torch.allclose(moved, expected, rtol=1e-4, atol=1e-3)
    assert not torch.allclose(forecast, history[:, -1:, :, None].expand_as(forecast), atol=1e-3)


def test_quantiles_do_not_cross() -> None:
    untrained = model()
    untrained.layers[-1].weight.data *= 100  # a wild net, whose raw outputs are in no order
    quantiles = untrained(1e6 + 1e5 * windows())[..., 1:]
    assert (quantiles.diff(dim=-1) >= 0).all()


def test_no_forecast_in_use_is_below_0_and_in_training_it_is_not_cut() -> None:
    wild, history = model(), torch.rand(64, 24, 4)
    wild.layers[-1].weight.data *= 100
    assert wild.train()(history).min() < 0
    assert wild.eval()(history).min() == 0


def test_a_vnf_that_stands_still_is_forecast_to_do_so() -> None:
    still = torch.full((3, 24, 4), 0.7)
    assert torch.equal(model()(still), torch.full((3, 6, 4, 4), 0.7))


def test_a_resource_sees_the_last_steps_of_the_others_and_no_earlier_ones() -> None:
    history = windows()
    history[:, 0], history[:, 1] = 10, 11  # so that nothing below changes the range
    late, early = history.clone(), history.clone()
    late[:, -12, 1] = 10.5  # RAM
    early[:, -13, 1] = 10.5
    cpu = model()(history)[:, :, 0]
    assert not torch.equal(model()(late)[:, :, 0], cpu)
    assert torch.equal(model()(early)[:, :, 0], cpu)


def test_the_loss_is_least_where_mean_and_quantiles_are_right() -> None:
    """Truth is uniform over [0, 1]: mean 0.5, quantiles 0.1, 0.5 and 0.9."""
    target = torch.linspace(0, 1, 1001)[:, None, None].expand(-1, 6, 4)
    history = torch.tensor([0.0, 1.0])[None, :, None].expand(1001, -1, 4)
    right = torch.tensor([0.5, 0.1, 0.5, 0.9])

    def loss(output: Tensor) -> float:
        return float(model().loss(output.expand(1001, 6, 4, 4), target, history))

    for place in range(4):
        for miss in (-0.05, 0.05):
            wrong = right.clone()
            wrong[place] += miss
            assert loss(wrong) > loss(right)


def test_the_loss_is_finite_and_has_a_gradient_for_windows_that_stand_still() -> None:
    learning = model().train()
    some_still, all_still = torch.cat([torch.zeros(2, 24, 4), windows(2)]), torch.ones(4, 24, 4)
    for history, target in ((some_still, torch.rand(4, 6, 4)), (all_still, torch.ones(4, 6, 4))):
        learning.zero_grad()
        learning.loss(learning(history), target, history).backward()
        assert all(torch.isfinite(each.grad).all() for each in learning.parameters())


def test_a_nearer_step_weighs_more() -> None:
    history, target = windows(8), windows(8, 6)
    right = target[..., None].expand(-1, -1, -1, 1)

    def loss(step: int) -> float:
        output = right.clone()
        output[:, step] += 0.1
        return float(model(quantiles=()).loss(output, target, history))

    assert loss(0) == pytest.approx(6 * loss(5), rel=0.01)


def test_it_learns_a_burst_every_fourth_step() -> None:
    """What persistence cannot forecast: after 60 batches the error is less than half of its error."""
    torch.manual_seed(0)
    learning = build("change", 12, 1, QUANTILES, hidden=(32, 16)).train()
    series = (torch.arange(400) % 4 == 0).float()[:, None] * torch.rand(4)
    whole = series.unfold(0, 13, 1).transpose(1, 2)
    history, target = whole[:, :12], whole[:, 12:]
    optimizer = torch.optim.Adam(learning.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        learning.loss(learning(history), target, history).backward()
        optimizer.step()
    forecast = learning.eval()(history)[..., 0]
    assert (forecast - target).square().mean() < 0.25 * (history[:, -1:] - target).square().mean()


def test_an_option_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="recent"):
        build("change", 24, 6, recent=3)
