"""The directory of a trained model: whole, or refused with the reason."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from unit.forecast.training.tiny import same_weights, trained
from unit.forecast.usage import dataset, series

from testbedctl.errors import InvalidFile, RunFailed
from testbedctl.forecast.training.trainer import TrainedModel


@contextmanager
def full_disk(limit_bytes: int) -> Iterator[None]:
    """No file can grow beyond this: the kernel refuses the write, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    made = trained(tmp_path, horizon=2)
    model = TrainedModel.load(tmp_path)
    history = np.random.default_rng(1).random((9, 3, 4), dtype=np.float32)
    assert model.predict(history).shape == (9, 2, 4, 1)
    assert np.array_equal(model.predict(history), made.predict(history))
    assert model.config == made.config
    assert model.scaler.as_document() == made.scaler.as_document()
    assert (model.step_s, model.units, model.dataset_name) == (300, "trace", "waves")
    assert model.history == made.history
    assert model.parameters == made.parameters == sum(each.numel() for each in made.module().parameters())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.json", "weights.pt"]


def test_many_windows_are_predicted_as_one_by_one(tmp_path: Path) -> None:
    model = trained(tmp_path)
    history = np.random.default_rng(1).random((5000, 3, 4), dtype=np.float32)
    assert model.predict(history)[4990:] == pytest.approx(model.predict(history[4990:]), abs=1e-6)
    assert model.predict(history[:0]).shape == (0, 1, 4, 1)
    assert not model.module().training


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 4), (2, 3, 3)])
def test_another_shape_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[n, 3, 4\]"):
        trained(tmp_path).predict(np.zeros(shape, np.float32))


def test_a_model_names_all_trainings_that_it_stands_on(tmp_path: Path) -> None:
    trained(tmp_path / "one", vms=["a"])
    other = dataset(series("c"), sha256="2" * 64)
    trained(tmp_path / "two", other, warm_start=tmp_path / "one", train_share=0.7)
    third = trained(tmp_path / "three", vms=["b"], warm_start=tmp_path / "two").document
    assert [(each.vms, each.train_share) for each in third.lineage] == [
        (("b",), 0.8), (("c",), 0.7), (("a",), 0.8)
    ]  # fmt: skip
    assert third.learned_from("1" * 64) == frozenset("ab")
    assert third.learned_from("3" * 64) == frozenset()
    forgotten = third.model_copy(update={"ancestors": third.ancestors[:1]})
    assert forgotten.learned_from("1" * 64) is None


@pytest.mark.parametrize("full_while_writing", ["weights.pt", "model.json"])
def test_a_full_disk_leaves_the_old_model_whole(tmp_path: Path, full_while_writing: str) -> None:
    old = trained(tmp_path / "old")
    new = trained(tmp_path / "new", seed=9, epochs=60, patience=60)  # its history is longer than its weights
    weights, document = ((tmp_path / "new" / name).stat().st_size for name in ("weights.pt", "model.json"))
    assert weights + 100 < document
    limit_bytes = weights + 100 if full_while_writing == "model.json" else weights - 100
    with full_disk(limit_bytes), pytest.raises(RunFailed, match=full_while_writing) as raised:
        new.save(tmp_path / "old")
    assert "free some space" in str(raised.value.hint)
    assert same_weights(TrainedModel.load(tmp_path / "old"), old)
    new.save(tmp_path / "old")
    assert same_weights(TrainedModel.load(tmp_path / "old"), new)


def test_a_full_disk_while_training_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    sizes: list[int] = []
    with pytest.raises(RunFailed, match=r"cannot write .*checkpoint\.pt"), full_disk(1):
        trained(tmp_path / "full")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path / "full", sizes)
    with pytest.raises(RunFailed, match=r"cannot write .*checkpoint\.pt"), full_disk(sizes[0] // 2):
        trained(tmp_path / "full")
    assert same_weights(trained(tmp_path / "full"), whole)


def _interrupted(directory: Path, sizes: list[int]) -> None:
    from unit.forecast.training.tiny import WAVES, config

    from testbedctl.forecast.training.trainer import Epoch, train

    def observe(epoch: Epoch) -> None:
        sizes.append((directory / "checkpoint.pt").stat().st_size)
        if epoch.number == 2:
            raise KeyboardInterrupt

    train(config(), WAVES, directory, observe=observe)


def test_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="holds no trained model"):
        TrainedModel.load(tmp_path / "nowhere")


def test_weights_of_another_model_or_truncated_ones_are_refused(tmp_path: Path) -> None:
    trained(tmp_path / "one")
    trained(tmp_path / "two", seed=1)
    file = tmp_path / "one" / "weights.pt"
    for data in (file.read_bytes()[:-10], (tmp_path / "two" / "weights.pt").read_bytes()):
        file.write_bytes(data)
        with pytest.raises(InvalidFile, match=r"weights\.pt is damaged, or not of"):
            TrainedModel.load(tmp_path / "one")
    file.unlink()
    with pytest.raises(InvalidFile, match=r"weights\.pt cannot be read"):
        TrainedModel.load(tmp_path / "one")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "testbedctl.model/2"}, "schema"),
        ({"surprise": 1}, "surprise"),
        ({"step_s": -1}, "step_s"),
        ({"history": []}, "history"),
        ({"config": {"window": 0}}, "config.window"),
    ],
)
def test_a_document_that_is_not_ours_is_refused_with_its_keys(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    trained(tmp_path)
    file = tmp_path / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(InvalidFile, match=f"is not a model of testbedctl: {message}"):
        TrainedModel.load(tmp_path)


def test_a_document_cut_short_is_refused_with_its_place(tmp_path: Path) -> None:
    trained(tmp_path)
    file = tmp_path / "model.json"
    file.write_text(file.read_text()[:100])
    with pytest.raises(InvalidFile, match="damaged or truncated") as raised:
        TrainedModel.load(tmp_path)
    assert raised.value.places


def test_weights_that_do_not_fit_the_model_are_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    file = tmp_path / "model.json"
    document = json.loads(file.read_text())
    document["config"]["options"]["cells"] = 7
    file.write_text(json.dumps(document))
    with pytest.raises(InvalidFile, match="does not fit the model lstm"):
        TrainedModel.load(tmp_path)
