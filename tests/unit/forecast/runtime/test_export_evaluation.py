"""``forecast export --evaluation``: a model file says how good the model is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit.forecast.evaluation.contenders import evaluation, judged
from unit.forecast.evaluation.program import Program
from unit.forecast.trained import NO_TORCH, trained
from unit.forecast.usage import series

from testbedctl.forecast.dataset.store import open_dataset, save_dataset
from testbedctl.forecast.evaluation.contender import open_contender
from testbedctl.forecast.evaluation.result import load, save
from testbedctl.forecast.runtime.onnx_forecaster import OnnxForecaster
from testbedctl.forecast.series import Series

pytest.importorskip("onnx", reason=NO_TORCH)


@pytest.fixture
def forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """``testbedctl forecast`` beside a model, another one, and the evaluation ``worth`` of the first."""
    part = series("a", step_s=1.0)
    ratios = Series(part.vm, part.unix_s, part.values / part.values.max(axis=0))
    save_dataset(tmp_path / "waves", [ratios], name="waves", source="made up")
    for name, window in (("model", 5), ("other", 6)):
        (tmp_path / name).mkdir()
        asked = trained(model="change", window=window, horizon=3, quantiles=(0.1, 0.9))
        asked.save(tmp_path / name)
    data = open_dataset(tmp_path / "waves")
    save(evaluation(judged(open_contender(tmp_path / "model", data), data=data)), make(tmp_path / "worth"))
    monkeypatch.chdir(tmp_path)
    return Program(capsys, monkeypatch)


def make(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_the_errors_of_the_model_are_in_the_file(forecast: Program) -> None:
    done = forecast("export", "model", "--output", "m.onnx", "--evaluation", "worth")
    assert done.returncode == 0, done.stderr
    (told,) = OnnxForecaster.load(Path("m.onnx"), step_s=1, units="allotment").metadata.metrics["judged"]
    judgement = load(Path("worth")).judgements[0]
    row = judgement.contestant("model")
    assert row
    assert (told["dataset"], told["dataset_sha256"]) == ("waves", judgement.sha256)
    assert (told["vms"], told["forecasts"]) == (1, judgement.forecasts)
    assert told["errors"] == [
        {"ahead": each.ahead, "rmse": each.mean, "to_persistence": each.to_persistence} for each in row.errors
    ]
    assert told["quantiles"] == [{"quantile": q, "above": row.share_above(q)} for q in (0.1, 0.9)]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("judged on"))
    first, last = told["errors"][0], told["errors"][2]
    for text in (f"{first['rmse']:.4f}", f"({last['to_persistence']:.2f} × persistence) 3 steps ahead"):
        assert text in line
    assert f"{told['quantiles'][1]['above']:.1%} above q0.9" in line


@pytest.mark.parametrize(
    ("model", "where", "message"),
    [
        ("other", "worth", "worth has not judged the model other; its models: model"),
        ("model", "waves", "waves holds no evaluation"),
        ("model", "edited", "the model model that edited has judged is of another training"),
    ],
)
def test_an_evaluation_of_something_else_is_refused(
    forecast: Program, model: str, where: str, message: str
) -> None:
    document = json.loads(Path("worth/evaluation.json").read_text())
    (row,) = (each for each in document["judgements"][0]["contestants"] if each["kind"] == "model")
    row["config"]["seed"] = 7
    (make(Path("edited")) / "evaluation.json").write_text(json.dumps(document))
    done = forecast("export", model, "--output", "m.onnx", "--evaluation", where)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert not Path("m.onnx").exists()
