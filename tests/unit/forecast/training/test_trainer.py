"""The training loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.forecast.training.tiny import WAVES, config, same_weights, trained
from unit.forecast.usage import changed, dataset, series

from testbedctl.errors import Inconclusive, InvalidFile, RunFailed, UsageError
from testbedctl.forecast.series import Series
from testbedctl.forecast.training import trainer
from testbedctl.forecast.training.trainer import Epoch, StopTraining, TrainedModel, train


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_a_model_learns(tmp_path: Path, name: str) -> None:
    options = {"lstm": {}, "transformer": {"blocks": 1, "head_size": 4, "filters": 8}}[name]
    model = trained(tmp_path, model=name, options=options, epochs=40, learning_rate=0.01)
    losses = [epoch.validation_loss for epoch in model.history]
    assert min(losses) < 0.5 * losses[0]
    assert model.best.validation_loss == min(losses)
    assert model.seconds == sum(epoch.seconds for epoch in model.history) > 0


def test_the_same_seed_gives_the_same_model_to_the_last_bit(tmp_path: Path) -> None:
    one, two = trained(tmp_path / "1", seed=3), trained(tmp_path / "2", seed=3)
    assert same_weights(one, two)
    assert [e.validation_loss for e in one.history] == [e.validation_loss for e in two.history]
    assert (tmp_path / "1" / "weights.pt").read_bytes() == (tmp_path / "2" / "weights.pt").read_bytes()


def test_another_seed_gives_another_model(tmp_path: Path) -> None:
    assert not same_weights(trained(tmp_path / "1", seed=3), trained(tmp_path / "2", seed=4))


@pytest.mark.parametrize("scaling", ["per-vm", "global"])
def test_nothing_of_the_judged_part_is_learned(tmp_path: Path, scaling: str) -> None:
    """Other values in the last 20 % of the rows, huge or no numbers, change neither weights nor scaler."""
    parts = [series("a"), series("b", 150)]
    leaking = [parts[0]] * 2
    for column, value in enumerate((1e9, -1e9, float("nan"), float("inf"))):
        leaking = [
            changed(part, slice(round(0.8 * len(part.unix_s)), None), column, value)
            for part in (parts if column == 0 else leaking)
        ]
    clean = trained(tmp_path / "clean", dataset(*parts), scaling=scaling)
    other = trained(tmp_path / "other", dataset(*leaking), scaling=scaling)
    assert same_weights(clean, other)
    assert clean.scaler.as_document() == other.scaler.as_document()
    assert [e.validation_loss for e in clean.history] == [e.validation_loss for e in other.history]


@pytest.mark.parametrize("row", [0, 140, 159])
def test_every_row_before_the_border_is_learned_from_or_stopped_by(tmp_path: Path, row: int) -> None:
    """The counterpart: the leak test would also pass on a training that looks at nothing."""
    clean = trained(tmp_path / "clean", dataset(series("a")))
    other = trained(tmp_path / "other", dataset(changed(series("a"), slice(row, row + 1), 0, 1400.0)))
    assert [e.validation_loss for e in clean.history] != [e.validation_loss for e in other.history]


def test_validation_is_the_last_part_of_the_training_part(tmp_path: Path) -> None:
    """A change there moves the validation loss and no weight of the first epoch (no new least or most)."""
    low, high = (float(edge) for edge in np.quantile(series("a").values[:, 0], [0.3, 0.7]))
    one, two = (
        trained(tmp_path / name, dataset(changed(series("a"), slice(144, 160), 0, value)), epochs=1)
        for name, value in (("low", low), ("high", high))
    )
    assert same_weights(one, two)
    assert one.history[0].validation_loss != two.history[0].validation_loss


def test_it_stops_when_patience_ends_and_keeps_the_best_weights(tmp_path: Path) -> None:
    short = trained(tmp_path / "short", learning_rate=0.3, patience=4, epochs=200)
    assert len(short.history) == short.best.number + 4 < 200
    again = trained(tmp_path / "again", learning_rate=0.3, patience=4, epochs=short.best.number)
    assert same_weights(short, again)


def test_the_observer_may_end_it(tmp_path: Path) -> None:
    def observe(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise StopTraining

    model = train(config(), WAVES, tmp_path, observe=observe)
    assert len(model.history) == 2
    assert same_weights(TrainedModel.load(tmp_path), model)


def test_only_the_vms_that_were_chosen_count(tmp_path: Path) -> None:
    data = dataset(series("a"), changed(series("b"), slice(None), 1, 9e9))
    some = trained(tmp_path / "some", data, vms=["a"])
    assert some.vms == ("a",)
    assert same_weights(some, trained(tmp_path / "alone", dataset(series("a"))))
    with pytest.raises(UsageError, match="no VM 'c'"):
        trained(tmp_path / "none", data, vms=["c"])


def test_an_epoch_can_be_a_sample_of_the_windows(tmp_path: Path) -> None:
    """64 of 2 × 141 windows: another epoch takes others, more than there are takes all."""
    few = trained(tmp_path / "few", windows_per_epoch=64)
    assert not same_weights(few, trained(tmp_path / "all"))
    assert same_weights(trained(tmp_path / "most", windows_per_epoch=9999), trained(tmp_path / "every"))


def test_the_cosine_schedule_ends_near_no_change_at_all(tmp_path: Path) -> None:
    changes = {}
    for schedule in ("constant", "cosine"):
        model = trained(tmp_path / schedule, schedule=schedule, epochs=40, patience=40)
        losses = [epoch.validation_loss for epoch in model.history]
        changes[schedule] = abs(losses[-1] - losses[-2])
    assert changes["cosine"] < 0.1 * changes["constant"]


def test_a_model_may_bring_its_own_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from testbedctl.forecast.models.lstm import Lstm

    def loss(_: Any, output: Any, target: Any, history: Any) -> Any:
        assert output.shape == (*target.shape, 1)
        assert history.shape[1:] == (3, 4)
        return 7 + 0 * output.sum()

    monkeypatch.setattr(Lstm, "loss", loss, raising=False)
    model = trained(tmp_path, patience=2)
    assert [epoch.validation_loss for epoch in model.history] == [7, 7, 7]
    assert model.best.number == 1


def test_the_loss_of_a_model_without_one_is_the_mean_absolute_error(tmp_path: Path) -> None:
    model = trained(tmp_path, dataset(series("a")), epochs=1, validation_share=0.5)
    from testbedctl.forecast.protocol.windows import windows

    scaled = model.scaler.scale(series("a")).values[77:160]
    past, future = windows(Series("a", np.arange(83.0), scaled), 3, 1, 1)
    error = float(np.abs(model.predict(past)[..., 0] - future).mean())
    assert model.history[0].validation_loss == pytest.approx(error, rel=1e-5)


def test_a_loss_that_runs_away_ends_with_the_epoch_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from testbedctl.forecast.models.lstm import Lstm

    monkeypatch.setattr(Lstm, "loss", lambda _, output, *__: output.sum() * float("nan"), raising=False)
    with pytest.raises(RunFailed, match=r"the loss is nan in epoch 1 \(learning\)") as raised:
        trained(tmp_path)
    assert "learning_rate" in str(raised.value.hint)
    assert not (tmp_path / "model.json").exists()


def test_too_little_data_is_said_and_not_learned_from(tmp_path: Path) -> None:
    with pytest.raises(Inconclusive, match="no window to learn from: a window of 24"):
        trained(tmp_path, dataset(series("a", 10), series("b", 12)), window=24)
    with pytest.raises(Inconclusive, match="no window to stop the training by"):
        trained(tmp_path, dataset(series("a", 40)), horizon=5)
    assert not any(tmp_path.iterdir())


def test_a_vm_of_ten_rows_is_named_and_left_out(tmp_path: Path) -> None:
    model = trained(tmp_path, dataset(series("a"), series("ten", 10), series("none", 0)), window=8)
    assert model.document.skipped == ("none", "ten")
    assert same_weights(TrainedModel.load(tmp_path), model)


def test_a_vm_that_never_changes_trains_to_a_finite_model(tmp_path: Path) -> None:
    still = Series("still", series("a").unix_s, np.full((200, 4), 5, np.float32))
    model = trained(tmp_path, dataset(still))
    assert np.isfinite(model.predict(np.zeros((1, 3, 4), np.float32))).all()
    assert model.scaler.scale(still).values.max() == 0


def test_values_that_are_no_numbers_are_refused_with_their_place(tmp_path: Path) -> None:
    broken = changed(series("b"), slice(50, 51), 3, float("nan"))
    with pytest.raises(InvalidFile, match="VM 'b': network is nan in row 51"):
        trained(tmp_path, dataset(series("a"), broken))


def test_unscaled_values_of_a_trace_are_refused_for_a_model_of_the_unit_range(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="values from 0 to 1"):
        trained(tmp_path, scaling="none")
    ratios = Series("a", series("a").unix_s, series("a").values / series("a").values.max(axis=0))
    assert trained(tmp_path, dataset(ratios, units="allotment"), scaling="none").scaler.kind == "none"


def test_a_directory_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        trained(tmp_path / "file" / "model")


def test_the_number_of_threads_is_recorded(tmp_path: Path) -> None:
    assert trained(tmp_path).document.threads == 1
    assert trainer.TrainedModel.load(tmp_path).document.threads == 1
