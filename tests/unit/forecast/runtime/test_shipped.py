"""The model that comes with testbedctl."""

from __future__ import annotations

import json

import numpy as np
import pytest

from testbedctl.balancing.registry import forecaster
from testbedctl.forecast.runtime.onnx_forecaster import SHIPPED, OnnxForecaster, shipped

pytestmark = pytest.mark.skipif(
    not SHIPPED.exists(), reason=f"{SHIPPED.name} is not there: train and export it"
)


def test_it_is_found_by_name_and_fits_the_testbed() -> None:
    found = forecaster("shipped")
    assert isinstance(found, OnnxForecaster)
    assert found.step_s == pytest.approx(1, rel=0.01)
    assert found.metadata.units == "allotment"
    mean, _ = found.predict(np.full((2, found.window, 4), 0.3, np.float32))
    assert np.isfinite(mean).all()


def test_its_recording_is_the_data_that_it_learned_from() -> None:
    recording = json.loads((SHIPPED.parent / "recording.json").read_text(encoding="utf-8"))
    metadata = shipped().metadata
    assert recording["schema"] == "testbedctl.dataset/1"
    assert recording["sha256"] == metadata.dataset_sha256
    assert recording["units"] == "allotment"
    assert recording["step_s"] == pytest.approx(metadata.step_s)
