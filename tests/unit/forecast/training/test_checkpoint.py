"""Interrupted trainings go on, with the result that they would have had."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from unit.cli.program import ROOT, environment
from unit.forecast.training.tiny import WAVES, config, same_weights, trained
from unit.forecast.usage import dataset, series

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.training.trainer import Epoch, StopTraining, TrainedModel, train

_KILLED = """
from pathlib import Path
import sys, torch
torch.set_num_threads(1)
from unit.forecast.training.tiny import WAVES, config
from testbedctl.forecast.training.trainer import train
asked = config(epochs=10_000, patience=1000)
train(asked, WAVES, Path(sys.argv[1]), observe=lambda epoch: print(epoch.number, flush=True))
"""


def interrupted(directory: Path, after: int, how: type[BaseException] = KeyboardInterrupt) -> None:
    """A training that ends after some epochs."""

    def observe(epoch: Epoch) -> None:
        if epoch.number == after:
            raise how

    if issubclass(how, StopTraining):
        train(config(), WAVES, directory, observe=observe)
        return
    with pytest.raises(how):
        train(config(), WAVES, directory, observe=observe)


@pytest.mark.parametrize("how", [KeyboardInterrupt, StopTraining, MemoryError])
@pytest.mark.parametrize("after", [1, 3])
def test_it_goes_on_to_the_same_result(tmp_path: Path, after: int, how: type[BaseException]) -> None:
    whole = trained(tmp_path / "whole")
    interrupted(tmp_path / "again", after, how)
    seen: list[Epoch] = []
    again = trained(tmp_path / "again", seen=seen)
    assert [epoch.number for epoch in seen] == list(range(after + 1, 6))
    assert same_weights(whole, again)
    assert [e.train_loss for e in whole.history] == [e.train_loss for e in again.history]
    assert [e.validation_loss for e in whole.history] == [e.validation_loss for e in again.history]
    assert not (tmp_path / "again" / "checkpoint.pt").exists()


def test_a_killed_training_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _KILLED, str(tmp_path)]
    paths = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    with subprocess.Popen(
        argv, env=environment(PYTHONPATH=paths), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == "7\n":
                break
        child.send_signal(signal.SIGKILL)
    asked = {"epochs": 10_000, "patience": 1000}
    seen: list[Epoch] = []

    def observe(epoch: Epoch) -> None:
        seen.append(epoch)
        raise StopTraining

    going_on = train(config(**asked), WAVES, tmp_path, observe=observe)
    assert seen[0].number > 7

    def until(epoch: Epoch) -> None:
        if epoch.number == seen[0].number:
            raise StopTraining

    whole = train(config(**asked), WAVES, tmp_path / "whole", observe=until)
    assert same_weights(whole, going_on)


def test_another_configuration_is_refused_and_named(tmp_path: Path) -> None:
    interrupted(tmp_path, 2)
    with pytest.raises(UsageError, match=r"another training \(window 3 there, 4 now\)"):
        trained(tmp_path, window=4)
    with pytest.raises(UsageError, match=r"learning_rate 0\.001 there, 0\.01 now; seed 0 there, 5 now"):
        trained(tmp_path, learning_rate=0.01, seed=5)
    assert trained(tmp_path).best.number


@pytest.mark.parametrize(
    ("data", "vms", "differs"),
    [(dataset(sha256="2" * 64), None, "data set"), (WAVES, ["a"], "VMs")],
    ids=["other data", "other VMs"],
)
def test_other_data_are_refused(tmp_path: Path, data: object, vms: list[str] | None, differs: str) -> None:
    interrupted(tmp_path, 2)
    with pytest.raises(UsageError, match=rf"another training \({differs} "):
        trained(tmp_path, data, vms=vms)  # type: ignore[arg-type]


def test_another_number_of_threads_is_refused_since_it_adds_up_otherwise(tmp_path: Path) -> None:
    import torch

    interrupted(tmp_path, 2)
    torch.set_num_threads(2)
    with pytest.raises(UsageError, match=r"threads 1 there, 2 now"):
        trained(tmp_path)


def test_without_resuming_it_begins_anew(tmp_path: Path) -> None:
    interrupted(tmp_path, 2)
    seen: list[Epoch] = []
    anew = trained(tmp_path, seen=seen, resume=False, window=4)
    assert seen[0].number == 1
    assert same_weights(TrainedModel.load(tmp_path), anew)


def test_a_model_that_is_whole_is_left_alone_unless_asked(tmp_path: Path) -> None:
    before = trained(tmp_path)
    with pytest.raises(UsageError, match="holds a trained model already"):
        trained(tmp_path, seed=1)
    assert same_weights(TrainedModel.load(tmp_path), before)
    assert not same_weights(trained(tmp_path, seed=1, resume=False), before)


@pytest.mark.parametrize("damage", [b"", b"PK nonsense", None])
def test_a_damaged_checkpoint_is_refused_with_what_to_do(tmp_path: Path, damage: bytes | None) -> None:
    interrupted(tmp_path, 2)
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:-700] if damage is None else damage)
    with pytest.raises(InvalidFile, match=r"checkpoint\.pt is damaged") as raised:
        trained(tmp_path)
    assert raised.value.hint == f"remove {file}"


def test_an_unfinished_training_is_no_model(tmp_path: Path) -> None:
    interrupted(tmp_path, 2)
    with pytest.raises(InvalidFile, match="its training has not ended") as raised:
        TrainedModel.load(tmp_path)
    assert "goes on" in str(raised.value.hint)


def test_a_warm_start_begins_with_the_weights_of_another_model(tmp_path: Path) -> None:
    first = trained(tmp_path / "first", learning_rate=0.01)
    later = dataset(series("c"), sha256="3" * 64)
    still = {"learning_rate": 1e-12, "epochs": 1}
    warm = trained(tmp_path / "warm", later, warm_start=tmp_path / "first", **still)
    cold = trained(tmp_path / "cold", later, **still)
    history = np.random.default_rng(1).random((50, 3, 4), dtype=np.float32)
    assert warm.predict(history) == pytest.approx(first.predict(history), abs=1e-6)
    assert abs(cold.predict(history) - first.predict(history)).max() > 0.01
    assert warm.document.warm_start_sha256 == TrainedModel.load(tmp_path / "first").document.weights_sha256
    assert same_weights(TrainedModel.load(tmp_path / "first"), first)


def test_a_warm_start_from_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    trained(tmp_path / "first")
    with pytest.raises(UsageError, match=r"another kind of model \(horizon: 1 there, 2 now\)"):
        trained(tmp_path / "warm", warm_start=tmp_path / "first", horizon=2)
    with pytest.raises(UsageError, match="units: trace there, allotment now"):
        trained(tmp_path / "warm", dataset(units="allotment"), warm_start=tmp_path / "first")
    with pytest.raises(InvalidFile, match="holds no trained model"):
        trained(tmp_path / "warm", warm_start=tmp_path / "nowhere")
