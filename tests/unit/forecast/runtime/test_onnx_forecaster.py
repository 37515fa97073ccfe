"""The forecaster of the run time: what it refuses, what it makes of holes, and that it needs no torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testbedctl.balancing.registry import policy
from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.runtime.model_file import sealed
from testbedctl.forecast.runtime.onnx_forecaster import BATCH, OnnxForecaster
from testbedctl.ports import Forecaster
from tests.unit.forecast.trained import NO_TORCH, trained

CHECKOUT = Path(__file__).resolve().parents[4]
SEAL_LENGTH = len(sealed(b""))


def load(path: Path, **asked: Any) -> OnnxForecaster:
    return OnnxForecaster.load(path, **{"step_s": 1.0, "units": "allotment", **asked})


def edited(source: Path, target: Path, edit: Callable[[Any], None]) -> Path:
    """A copy whose ONNX model went through ``edit``, with the digest that it then has."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'testbedctl[train]'")
    model = onnx.load_from_string(source.read_bytes()[:-SEAL_LENGTH])
    edit(model)
    target.write_bytes(sealed(model.SerializeToString()))
    return target


def set_property(key: str, change: Callable[[str], str]) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        entry = next(each for each in model.metadata_props if each.key == key)
        entry.value = change(entry.value)

    return edit


def test_it_is_a_forecaster(model_file: Path) -> None:
    forecaster: Forecaster = load(model_file, window=5, horizon=2)
    assert (forecaster.step_s, forecaster.window, forecaster.horizon) == (1, 5, 2)
    assert forecaster.quantiles == ()
    mean, quantiles = forecaster.predict(np.zeros((3, 5, 4), np.float32))
    assert mean.shape == (3, 2, 4)
    assert quantiles.shape == (3, 2, 4, 0)
    assert mean.dtype == quantiles.dtype == np.float32


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH + 1, 3 * BATCH])
def test_each_vnf_has_the_forecast_that_it_has_alone(model_file: Path, count: int) -> None:
    forecaster = load(model_file)
    history = np.random.default_rng(count).random((count, 5, 4), dtype=np.float32)
    mean, _ = forecaster.predict(history)
    assert mean.shape == (count, 2, 4)
    for place in {0, count // 2, count - 1} if count else ():
        alone, _ = forecaster.predict(history[place : place + 1])
        np.testing.assert_allclose(mean[place], alone[0], rtol=1e-5)


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_vnf_with_a_hole_has_no_forecast_and_spoils_no_other(model_file: Path, hole: float) -> None:
    forecaster = load(model_file)
    history = np.random.default_rng(0).random((4, 5, 4), dtype=np.float32)
    whole, _ = forecaster.predict(history)
    history[2, 1, 3] = hole
    mean, _ = forecaster.predict(history)
    assert np.isnan(mean[2]).all()
    others = [0, 1, 3]
    assert np.array_equal(mean[others], whole[others])
    assert np.array_equal(history[2, 1, 3], hole, equal_nan=True)  # the caller's array is as it was


@pytest.mark.parametrize("shape", [(5, 4), (3, 4, 4), (3, 6, 4), (3, 5, 3), (3, 5, 4, 1)])
def test_another_shape_is_refused(model_file: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape \[vnf, 5, 4\], got"):
        load(model_file).predict(np.zeros(shape, np.float32))


def test_a_forecast_is_never_below_zero(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=NO_TORCH)
    from testbedctl.forecast.runtime.export import export

    limits = {"*": {"low": [-5.0] * 4, "high": [-1.0] * 4}}
    export(trained(scaling="global", limits=limits), tmp_path / "m.onnx", metrics={})
    mean, _ = load(tmp_path / "m.onnx").predict(np.full((2, 3, 4), -3, np.float32))
    assert (mean == 0).all()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"step_s": 300.0}, "a model for step_s 1.0; step_s 300.0 is asked for"),
        ({"units": "trace"}, "a model for units allotment; units trace is asked for"),
        ({"window": 3}, "a model for window 5; window 3 is asked for"),
        ({"horizon": 6}, "a model for horizon 2; horizon 6 is asked for"),
    ],
)
def test_a_model_for_something_else_is_refused(model_file: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        load(model_file, **asked)
    assert message in caught.value.message
    assert caught.value.hint


def _text(_: bytes) -> bytes:
    return b"this is not a model"


def _empty(_: bytes) -> bytes:
    return b""


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _without_its_end(data: bytes) -> bytes:
    return data[:-SEAL_LENGTH]


def _last_byte_lost(data: bytes) -> bytes:
    return data[:-1]


def _a_weight_changed(data: bytes) -> bytes:
    place = len(data) // 20  # within the graph's weights, which come first
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_text, "is not an ONNX model, or is cut off"),
        (_empty, "is not an ONNX model, or is cut off"),
        (_half, "is not an ONNX model, or is cut off"),
        (_last_byte_lost, "is not an ONNX model, or is cut off"),
        (_without_its_end, "has lost the digest at its end"),
        (_a_weight_changed, "is damaged"),
    ],
)
def test_a_damaged_file_is_refused(
    model_file: Path, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(damage(model_file.read_bytes()))
    with pytest.raises(InvalidFile) as caught:
        load(path)
    assert message in caught.value.message
    assert str(path) in caught.value.message


def _foreign(model: Any) -> None:
    del model.metadata_props[:]


def _without_weights(model: Any) -> None:
    kept = [each for each in model.metadata_props if each.key != "weights"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_foreign, "an ONNX model that testbedctl did not export"),
        (_without_weights, "lacks weights in its metadata"),
        (set_property("schema", lambda _: "testbedctl.forecaster/2"), "reads testbedctl.forecaster/1"),
        (set_property("forecaster", lambda _: "{}"), "do not follow testbedctl.forecaster/1"),
        (set_property("forecaster", lambda _: "none"), "do not follow testbedctl.forecaster/1"),
        (set_property("forecaster", lambda t: t.replace("cpu_ratio", "cpu_mhz")), "a model for features"),
        (set_property("forecaster", lambda t: t.replace('"window": 5', '"window": 7')), "its graph has"),
    ],
)
def test_what_is_not_a_model_of_ours_is_refused(
    model_file: Path, tmp_path: Path, edit: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(InvalidFile) as caught:
        load(edited(model_file, tmp_path / "m.onnx", edit))
    assert message in caught.value.message


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "none.onnx", "is missing"),
        (tmp_path, "is a directory"),
        (Path("/dev/null"), "not a file"),
    ):
        with pytest.raises(InvalidFile, match=message):
            load(path)


def test_an_arm_takes_a_model_file(model_file: Path, tmp_path: Path) -> None:
    assert policy(f"reactive:forecaster={model_file}")[0] == "reactive"
    with pytest.raises(UsageError, match="is missing"):
        policy(f"reactive:forecaster={tmp_path}/none.onnx")
    slow = edited(
        model_file,
        tmp_path / "slow.onnx",
        set_property("forecaster", lambda t: t.replace('"step_s": 1.0', '"step_s": 300.0')),
    )
    with pytest.raises(UsageError, match=r"a model for step_s 300\.0"):
        policy(f"reactive:forecaster={slow}")


def test_torch_is_not_needed_to_predict(model_file: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['onnx'] = None\n"  # an import of them fails now
        "import numpy as np\n"
        "from testbedctl.balancing.registry import forecaster\n"
        f"made = forecaster({str(model_file)!r})\n"
        "made.predict(np.zeros((2, 5, 4), np.float32))\n"
        "print(sorted(name for name in ('torch', 'onnx', 'optuna') if sys.modules.get(name)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
