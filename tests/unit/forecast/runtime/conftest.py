"""Model files for the tests of the run time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.forecast.trained import NO_TORCH, trained


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for the testbed: window 5, horizon 2, no scaling. Nobody writes to it."""
    pytest.importorskip("torch", reason=NO_TORCH)
    from testbedctl.forecast.runtime.export import export

    path = tmp_path_factory.mktemp("model") / "small.onnx"
    export(trained(window=5, horizon=2), path, metrics={"rmse": 0.25})
    return path
