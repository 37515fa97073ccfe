"""Model directories and files as the judge takes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.forecast.evaluation.contenders import judged
from unit.forecast.trained import NO_TORCH
from unit.forecast.training.tiny import trained
from unit.forecast.usage import dataset, series

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.dataset.features import feature_names
from testbedctl.forecast.evaluation.contender import open_contender
from testbedctl.forecast.series import Dataset, Series

pytest.importorskip("torch", reason=NO_TORCH)
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'testbedctl[train]'")


def traced(*parts: Series) -> Dataset:
    """A data set that a model file can be for."""
    return replace(dataset(*parts), features=feature_names("trace"))


def grown(vm: str) -> Series:
    """A VM that uses three times as much in its last fifth, beyond all that a scaler has seen."""
    whole = series(vm, 300)
    return Series(vm, whole.unix_s, whole.values * np.where(np.arange(300) < 240, 1, 3)[:, np.newaxis])


def test_a_model_that_moves_with_its_window_is_judged_as_its_file(tmp_path: Path) -> None:
    from testbedctl.forecast.runtime.export import export

    data = traced(grown("a"), grown("b"))
    options: dict[str, Any] = {
        "model": "change",
        "options": {"hidden": [8]},
        "window": 6,
        "quantiles": (0.1, 0.9),
    }
    model = trained(tmp_path / "change", data, **options)
    export(model, tmp_path / "file.onnx", metrics={})
    opened = [open_contender(tmp_path / name, data) for name in ("change", "file.onnx")]
    judgement = judged(*opened, data=data)
    directory, file = (judgement.contestant(name) for name in ("change", "file"))
    assert directory and file
    assert directory.scaling == file.scaling == "per-vm"
    assert directory.seen == file.seen == 2
    for quantile, same in zip(directory.quantiles, file.quantiles, strict=True):
        assert quantile.above_all == pytest.approx(same.above_all, abs=0.005)
    for error, equal in zip(directory.errors, file.errors, strict=True):
        assert error.mean == pytest.approx(equal.mean, rel=1e-3)


def test_a_model_that_needs_its_limits_stays_in_them(tmp_path: Path) -> None:
    trained(tmp_path / "lstm", traced())
    assert open_contender(tmp_path / "lstm", traced()).space == "scaled"


def test_a_file_that_knows_the_judged_part_is_refused(tmp_path: Path) -> None:
    from testbedctl.forecast.runtime.export import export

    model = trained(tmp_path / "greedy", traced(), scaling="global", train_share=0.9)
    export(model, tmp_path / "greedy.onnx", metrics={})
    for name in ("greedy", "greedy.onnx"):
        with pytest.raises(UsageError, match=r"has learned from the first 0\.9 of each VM"):
            open_contender(tmp_path / name, traced())


def test_a_file_of_another_versions_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from testbedctl.forecast.runtime.export import export
    from testbedctl.forecast.training.document import ModelDocument

    model = trained(tmp_path / "model", traced(), scaling="global")
    with monkeypatch.context() as patched:
        patched.setattr(ModelDocument, "model_dump_json", lambda *_, **__: '{"schema": "other"}')
        export(model, tmp_path / "file.onnx", metrics={})
    with pytest.raises(InvalidFile, match="as another version of testbedctl trains it"):
        open_contender(tmp_path / "file.onnx", traced())


def test_a_warm_start_that_knows_the_judged_part_is_refused(tmp_path: Path) -> None:
    trained(tmp_path / "greedy", traced(), train_share=0.9)
    other = replace(traced(), sha256="2" * 64)
    trained(tmp_path / "warm", other, warm_start=tmp_path / "greedy")
    assert open_contender(tmp_path / "warm", other).trained_on == frozenset("ab")
    with pytest.raises(UsageError, match=r"has learned from the first 0\.9 of each VM"):
        open_contender(tmp_path / "warm", traced())
