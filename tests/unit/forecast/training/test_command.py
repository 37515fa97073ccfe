"""``forecast train`` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest
import typer
from unit.cli.program import ARGV, environment, on_terminal, piped
from unit.forecast.usage import series

from testbedctl.cli.forecast import train
from testbedctl.errors import TestbedError, UsageError
from testbedctl.forecast.dataset.store import save_dataset
from testbedctl.forecast.series import Series
from testbedctl.forecast.training.trainer import TrainedModel

SMALL = "model: lstm\nepochs: 4\nbatch_size: 64\noptions: {cells: 6, dense: [5]}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the data set ``waves`` of three VNFs and a configuration."""
    parts = [series(vm, step_s=1.0) for vm in ("s1/vdpi", "s2/vdpi")] + [series("s3/vdpi", 4, step_s=1.0)]
    ratios = [Series(part.vm, part.unix_s, part.values / part.values.max(axis=0)) for part in parts]
    save_dataset(tmp_path / "waves", ratios, name="waves", source="made up")
    (tmp_path / "small.yaml").write_text(SMALL)
    return tmp_path


def run(place: Path, *words: str, output: str = "m") -> None:
    """``forecast train waves`` in this process."""
    group = typer.Typer()
    group.callback()(lambda: None)
    train.register(group)
    with chdir(place):
        typer.main.get_command(group)(["train", "waves", "--output", output, *words], standalone_mode=False)


def test_it_tells_what_was_learned_where_it_is_and_what_to_do_next(place: Path) -> None:
    done = piped("forecast", "train", "waves", "--output", "m", "--config", "small.yaml", cwd=place)
    assert done.returncode == 0, done.stderr
    told = [line.split()[0:3] for line in done.stderr.splitlines()]
    assert ["epoch", "1", "of"] in told
    assert ["epoch", "4", "of"] in told
    assert "1 of 3 VMs too short, or too full of gaps, for a window: s3/vdpi" in done.stderr
    model = TrainedModel.load(place / "m")
    for fact in (
        "lstm, window 3, horizon 1, scaling per-vm",
        "waves, 3 VMs",
        f"{model.best.validation_loss:.5f} (MAE)",
        f"{model.parameters:,}",
        "written to",
        "next: testbedctl forecast evaluate m --dataset DATASET",
        "next: testbedctl forecast export m --output FILE.onnx",
    ):
        assert fact in done.stdout


def test_json_is_one_document_with_the_same_facts(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--window", "5", "--horizon", "2", "--scaling", "none", "--seed", "4", "--vms", "s1/vdpi")
    run(place, "--config", "small.yaml", *words, "--json")
    facts = json.loads(capsys.readouterr().out)
    model = TrainedModel.load(place / "m")
    assert (facts["epochs"], facts["vms"], facts["name"]) == (4, 1, "lstm")
    assert facts["validation_loss"] == model.best.validation_loss
    assert facts["config"] == model.config.model_dump(mode="json")
    asked = model.config
    assert (asked.window, asked.horizon, asked.scaling, asked.seed) == (5, 2, "none", 4)
    assert model.vms == ("s1/vdpi",)


def test_a_number_of_vms_is_drawn_by_the_seed(place: Path) -> None:
    drawn = set()
    for seed in range(5):
        run(place, "--config", "small.yaml", "--vms", "2", "--seed", str(seed), output=str(seed))
        drawn.add(TrainedModel.load(place / str(seed)).vms)
    assert len(drawn) > 1
    assert all(len(vms) == 2 for vms in drawn)


def test_options_are_environment_variables_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CONFIG", "small.yaml"), ("WINDOW", "6"), ("THREADS", "1"), ("VMS", "s2/vdpi,")):
        monkeypatch.setenv(f"TESTBEDCTL_TRAIN_{name}", value)
    run(place)
    model = TrainedModel.load(place / "m")
    assert (model.config.window, model.document.threads, model.vms) == (6, 1, ("s2/vdpi",))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--model", "lstn"], 2, "did you mean 'lstm'"),
        (["--quantile", "0.9"], 2, "the model lstm has no quantiles"),
        (["--quantile", "0.9", "--quantile", "0.5"], 2, "quantiles ascend"),
        (["--horizon", "99"], 2, "horizon"),
        (["--vms", "s9/vdpi"], 2, "no VM 's9/vdpi'"),
        (["--vms", "7"], 2, "waves has 3 to choose from"),
        (["--config", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["--warm-start", "nowhere"], 2, "nowhere holds no trained model"),
        (["--window", "500"], 3, "no window to learn from"),
        (["--vms", "s3/vdpi"], 3, "no window to learn from"),
    ],
)
def test_what_cannot_be_trained_ends_with_its_reason(
    place: Path, words: list[str], code: int, told: str
) -> None:
    with pytest.raises(TestbedError, match=told) as raised:
        run(place, *words)
    assert raised.value.exit_code == code
    assert raised.value.hint or raised.value.places
    assert not (place / "m").exists()


def test_the_time_can_be_limited_and_the_training_gone_on_with(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(place, "--config", "small.yaml", "--max-minutes", "0", "--json")
    facts = json.loads(capsys.readouterr().out)
    assert facts["epochs"] == 1
    assert facts["ended"].startswith("out of time")
    run(place, "--config", "small.yaml", "--json")
    assert json.loads(capsys.readouterr().out)["epochs"] == 4
    with pytest.raises(UsageError, match="m holds a trained model already"):
        run(place, "--config", "small.yaml")


def test_ctrl_c_keeps_the_checkpoint_and_the_same_command_goes_on(place: Path) -> None:
    long = SMALL.replace("epochs: 4", "epochs: 10000\npatience: 1000")
    (place / "long.yaml").write_text(long)
    words = ["forecast", "train", "waves", "--config", "long.yaml", "--threads", "1", "--output", "m"]
    with subprocess.Popen(
        [*ARGV, *words], cwd=place, env=environment(), stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("epoch 5 "):
                child.send_signal(signal.SIGINT)
                break
        told = child.stderr.read()
    assert child.returncode == 130, told
    assert "the checkpoint of the last whole epoch is kept in m" in told
    assert "the same command again" in told
    again = piped(*words, "--max-minutes", "0", cwd=place)
    assert again.returncode == 0, again.stderr
    going_on, first = again.stderr.splitlines()[:2]
    assert going_on == "going on with the training in m"
    assert int(first.split()[1]) > 5  # the whole epochs were not lost, and none was done twice


def test_on_a_terminal_epochs_are_one_live_line(place: Path) -> None:
    words = ["forecast", "train", str(place / "waves"), "--output", str(place / "m")]
    code, shown = on_terminal([*ARGV, *words, "--config", str(place / "small.yaml")])
    assert code == 0, shown
    assert "epoch 4 of 4: validation loss" in shown
    assert shown.count("\n") < 25


def test_help_imports_none_of_the_heavy_ones(tmp_path: Path) -> None:
    for module in ("torch", "numpy", "pyarrow"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')\n")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    done = piped("forecast", "train", "--help", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "--warm-start" in done.stdout
