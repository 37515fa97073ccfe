"""From a trained model to a file: the same forecasts in the data set's own units, nothing half-written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testbedctl.errors import RunFailed, UsageError
from testbedctl.forecast.models.registry import MODELS
from testbedctl.forecast.protocol.scaling import Scaler
from testbedctl.forecast.runtime.model_file import SCHEMA, Metadata
from testbedctl.forecast.runtime.onnx_forecaster import OnnxForecaster
from testbedctl.forecast.series import Series
from tests.unit.forecast.trained import LIMITS, NO_TORCH, trained

torch = pytest.importorskip("torch", reason=NO_TORCH)
onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'testbedctl[train]'")

from testbedctl.forecast.runtime import graph  # noqa: E402 - needs torch
from testbedctl.forecast.runtime.export import export, trainable  # noqa: E402


def by_hand(model: Any, history: np.ndarray) -> np.ndarray:
    """Scale each VNF's window, forecast, scale back and cut at 0: what the graph has to do."""
    scaled = [
        model.scaler.scale(Series("", np.arange(len(rows), dtype=float), rows)).values for rows in history
    ]
    forecast = model.predict(np.array(scaled, np.float32))
    own = model.scaler.unscale("", np.moveaxis(forecast, 3, 2))
    return np.maximum(np.moveaxis(own, 2, 3), 0)


@pytest.mark.parametrize(("model", "levels"), [("lstm", ()), ("transformer", ()), ("change", (0.1, 0.9))])
@pytest.mark.parametrize("batch", [1, 3, 700])
def test_a_file_forecasts_what_the_model_does(
    tmp_path: Path, model: str, levels: tuple[float, ...], batch: int
) -> None:
    asked = trained("trace", step_s=300, model=model, window=4, horizon=3, scaling="global", quantiles=levels)
    export(asked, tmp_path / "m.onnx", metrics={})
    forecaster = OnnxForecaster.load(tmp_path / "m.onnx", step_s=300, units="trace")
    span = np.array(LIMITS["*"]["high"], np.float32)
    history = np.random.default_rng(1).random((batch, 4, 4), dtype=np.float32) * span * 1.5
    mean, quantiles = forecaster.predict(history)
    assert mean.shape == (batch, 3, 4)
    assert quantiles.shape == (batch, 3, 4, len(levels))
    expected = by_hand(asked, history)
    np.testing.assert_allclose(mean / span, expected[..., 0] / span, atol=1e-4)
    np.testing.assert_allclose(quantiles / span[:, None], expected[..., 1:] / span[:, None], atol=1e-4)
    assert (mean[..., 3] == 7).all()  # it never changed, so that is all that is known of it


def test_what_the_file_says_of_itself(model_file: Path) -> None:
    metadata = OnnxForecaster.load(model_file, step_s=1, units="allotment").metadata
    assert isinstance(metadata, Metadata)
    assert (metadata.name, metadata.window, metadata.horizon, metadata.step_s) == ("small", 5, 2, 1)
    assert (metadata.dataset, metadata.dataset_sha256) == ("made-up", "ab" * 32)
    assert (metadata.epochs, metadata.training_s, metadata.model) == (2, 3.0, "lstm")
    assert metadata.metrics == {"rmse": 0.25}
    assert metadata.parameters > 1000


def test_any_onnx_tool_reads_the_file(model_file: Path) -> None:
    model = onnx.load(model_file)
    onnx.checker.check_model(model, full_check=True)
    properties = {each.key: each.value for each in model.metadata_props}
    assert properties["schema"] == SCHEMA
    assert len(properties["digest"]) == 64
    assert any(node.op_type == "LSTM" for node in model.graph.node)  # fused, not unrolled


def test_the_same_model_gives_the_same_file(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        export(trained(), tmp_path / name / "m.onnx", metrics={})
    assert (tmp_path / "a/m.onnx").read_bytes() == (tmp_path / "b/m.onnx").read_bytes()


def test_other_weights_have_another_hash(tmp_path: Path) -> None:
    first, second = (export(trained(seed=seed), tmp_path / "m.onnx", metrics={}) for seed in (0, 1))
    assert first.weights_sha256 != second.weights_sha256


def test_training_can_go_on_from_a_file(tmp_path: Path) -> None:
    model = trained(window=5, horizon=2)
    export(model, tmp_path / "m.onnx", metrics={})
    again = trainable(tmp_path / "m.onnx")
    assert again.document == model.document
    assert all(torch.equal(again.weights[name], value) for name, value in model.weights.items())


def test_scaling_per_vm_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lowest and the highest value of each VM") as caught:
        export(trained(scaling="per-vm"), tmp_path / "m.onnx", metrics={})
    assert "--scaling global" in str(caught.value.hint)
    assert not list(tmp_path.iterdir())


class Drift(torch.nn.Module):
    """The change over the window goes on, but never below 0: moves and stretches with it."""

    def __init__(self, window: int, horizon: int):  # noqa: ARG002 - what every model is told
        super().__init__()
        self.part = torch.nn.Parameter(torch.full((horizon, 1), 0.5))

    def forward(self, history: Any) -> Any:
        first, last = history[:, :1], history[:, -1:]
        return torch.relu(last + (last - first) * self.part)[..., None]


def test_a_model_that_moves_with_its_window_needs_no_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "drift", f"{__name__}:Drift")
    model = trained("trace", model="drift", window=4, horizon=2, scaling="per-vm")
    metadata = export(model, tmp_path / "m.onnx", metrics={})
    assert metadata.scaling == "none"
    mhz = np.array([[[2000.0] * 4, [2010.0] * 4, [2020.0] * 4, [2040.0] * 4]], np.float32)
    mean, _ = OnnxForecaster.load(tmp_path / "m.onnx", step_s=1, units="trace").predict(mhz)
    assert np.array_equal(mean, np.full((1, 2, 4), 2060))


def test_a_graph_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = graph.to_onnx

    def shifted(module: graph.InOwnUnits, window: int) -> Any:
        limits = {"*": np.full(4, 0.001, np.float32)}, {"*": np.full(4, 1.001, np.float32)}
        return whole(graph.InOwnUnits(module.model, Scaler("global", *limits)), window)

    monkeypatch.setattr(graph, "to_onnx", shifted)
    model = trained(scaling="global", limits={"*": {"low": [0.0] * 4, "high": [1.0] * 4}})
    with pytest.raises(RunFailed, match="does not forecast what the trained one does: mean of cpu"):
        export(model, tmp_path / "m.onnx", metrics={})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    export(trained(), path, metrics={})
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunFailed, match="No space left on device"):
        export(trained(seed=1), path, metrics={})
    assert path.read_bytes() == before
    OnnxForecaster.load(path, step_s=1, units="allotment")


def test_nan_is_no_metric(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="not a number"):
        export(trained(), tmp_path / "m.onnx", metrics={"rmse": float("nan")})
    assert not list(tmp_path.iterdir())
