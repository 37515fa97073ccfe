"""``forecast export`` as a user has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from testbedctl.cli import output
from testbedctl.cli.forecast import export
from testbedctl.errors import InvalidFile, TestbedError, UsageError
from testbedctl.forecast.runtime.onnx_forecaster import OnnxForecaster
from tests.unit.forecast.trained import trained


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's directory."""
    directory = tmp_path / "model"
    directory.mkdir()
    trained(window=5, horizon=2).save(directory)
    return directory


@pytest.fixture(autouse=True)
def _no_json_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_json_asked", False)


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    export.register(app)
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_the_file_and_what_is_said_of_it(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "vnf.onnx"
    done = run(model, "--output", path)
    assert done.exit_code == 0, done.output
    assert "5 steps of 1 s → 2 steps ahead, quantiles none, units allotment" in done.stdout
    assert f"reactive:forecaster={path}" in done.stdout.replace("\n", "")
    metadata = OnnxForecaster.load(path, step_s=1, units="allotment").metadata
    assert metadata.name == "vnf"
    assert metadata.metrics == {"validation_loss": 0.1}


def test_json_is_one_document(model: Path, tmp_path: Path) -> None:
    done = run(model, "--output", tmp_path / "vnf.onnx", "--json")
    document = json.loads(done.stdout)
    assert document["file"] == str(tmp_path / "vnf.onnx")
    assert document["bytes"] == (tmp_path / "vnf.onnx").stat().st_size
    assert (document["window"], document["units"]) == (5, "allotment")


@pytest.mark.parametrize(
    ("source", "target", "kind", "message"),
    [
        ("model", "vnf", UsageError, "a model file is called NAME.onnx"),
        ("model", "none/vnf.onnx", UsageError, "there is no directory"),
        ("none", "vnf.onnx", InvalidFile, "holds no trained model"),
    ],
)
def test_what_is_wrong_is_said(
    model: Path, tmp_path: Path, source: str, target: str, kind: type[TestbedError], message: str
) -> None:
    done = run(model.parent / source, "--output", tmp_path / target)
    assert isinstance(done.exception, kind)
    assert message in done.exception.message
    assert not list(tmp_path.glob("*.onnx"))
