"""``forecast retrain`` as a user has it, with a real Prometheus: from telemetry to the promoted file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from testbedctl.cli import output
from testbedctl.cli.forecast import retrain
from testbedctl.errors import Inconclusive, InvalidFile, RunFailed, TestbedError, UsageError
from testbedctl.forecast.dataset.store import open_dataset
from testbedctl.forecast.retraining.store import ModelStore
from testbedctl.forecast.runtime.onnx_forecaster import testbed_forecaster as forecaster_of
from tests.unit.forecast.retraining.conftest import CLASSES, Prometheus
from tests.unit.forecast.trained import NO_TORCH, trained

pytest.importorskip("torch", reason=NO_TORCH)
from testbedctl.forecast.runtime.export import export

SMALL: dict[str, Any] = {
    "window": 5,
    "epochs": 4,
    "learning_rate": 0.02,
    "batch_size": 64,
    "model": "change",
    "quantiles": (0.1, 0.9),
    "options": {"hidden": (16, 8)},
}


@pytest.fixture
def beginning(tmp_path: Path) -> Path:
    """A model that has learned nothing yet, as a file."""
    path = tmp_path / "begin.onnx"
    export(trained(**SMALL), path, metrics={})
    return path


@pytest.fixture(autouse=True)
def _no_json_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_json_asked", False)


def invoke(*arguments: object) -> Result:
    """What ``forecast retrain`` printed; raises what it raises."""
    app = typer.Typer()
    app.callback()(lambda: None)
    retrain.register(app)
    done = CliRunner().invoke(app, ["retrain", *map(str, arguments)])
    if done.exception:
        raise done.exception
    return done


def run(*arguments: object) -> dict[str, Any]:
    """The document of ``forecast retrain --json``."""
    document: dict[str, Any] = json.loads(invoke("--json", *arguments).stdout)
    return document


def test_a_better_model_is_promoted_and_the_old_one_kept(
    prometheus: Prometheus, beginning: Path, tmp_path: Path
) -> None:
    store = ModelStore(tmp_path / "models")
    asked = (
        "--from-prometheus",
        prometheus.url,
        "--since",
        "10m",
        "--model",
        beginning,
        "--output",
        store.root,
    )
    first = run(*asked)
    assert (first["better"], first["promoted"]) == (True, False)
    assert store.current == store.root / first["current"]["version"]  # the beginning, adopted

    second = run(*asked, "--promote-if-better")
    assert second["promoted"]
    assert second["current"]["version"] == first["current"]["version"]
    new, old = second["candidate"]["score"], second["current"]["score"]
    assert new["rmse"] < old["rmse"]
    assert 0 < new["pinball"] < old["pinball"]
    assert new["rmse"] < second["persistence"]["rmse"]  # a wave is easy to learn
    assert store.current == store.root / second["candidate"]["version"]
    assert (store.root / "previous").readlink() == Path(second["current"]["version"])

    begun, new = (
        json.loads((store.root / link / "model.json").read_text()) for link in ("previous", "current")
    )
    assert new["warm_start_sha256"] == begun["weights_sha256"]
    assert new["config"] == begun["config"]

    forecaster = forecaster_of(str(store.root / "current/model.onnx"))
    assert forecaster.metadata.weights_sha256 == second["candidate"]["weights_sha256"]
    assert forecaster.metadata.metrics["held_out"] == second["candidate"]["score"]
    assert forecaster.metadata.dataset_sha256 == second["telemetry"]["dataset_sha256"]
    forecaster.predict(np.zeros((1, 5, 4), np.float32))
    kept = json.loads((store.root / "current/retraining.json").read_text())
    assert kept == {key: value for key, value in second.items() if key not in ("promoted", "store")}


def test_the_record_says_what_was_learned_from(
    prometheus: Prometheus, beginning: Path, tmp_path: Path
) -> None:
    document = run(
        "--from-prometheus", prometheus.url, "--lab", "lab", "--since", "5m", "--model", beginning,
        "--output", tmp_path / "models",
    )  # fmt: skip
    learned = document["telemetry"]
    assert learned["vnfs"] == CLASSES
    assert learned["proportions"] == pytest.approx({"T1": 2 / 3, "T2": 1 / 3, "T3": 0})
    assert (learned["prometheus"], learned["lab"], learned["gaps"]) == (prometheus.url, "lab", 0)
    assert learned["end_unix_s"] - learned["start_unix_s"] == 300
    assert learned["end_unix_s"] == pytest.approx(time.time(), abs=60)
    saved = open_dataset(tmp_path / "models" / document["candidate"]["version"] / "dataset")
    assert saved.sha256 == learned["dataset_sha256"]
    assert sum(len(each.unix_s) for each in saved.series) == learned["rows"]


def test_what_a_person_is_told(prometheus: Prometheus, beginning: Path, tmp_path: Path) -> None:
    store = tmp_path / "models"
    asked = ("--from-prometheus", prometheus.url, "--since", "5m", "--model", beginning, "--output", store)
    done = invoke(*asked)
    told = done.stdout.replace("\n", " ")
    assert "3 VNFs, " in told
    assert "better, and not promoted: --promote-if-better would have" in told
    for row in ("persistence", "current 2", "new 2"):
        assert any(line.startswith(row) for line in done.stdout.splitlines()), done.stdout
    assert "retrain: fetching telemetry, 100%" in done.stderr
    assert "retrain: training, epoch 4" in done.stderr


def test_new_data_keep_the_proportions_of_the_classes(
    prometheus: Prometheus, beginning: Path, tmp_path: Path
) -> None:
    asked = ("--from-prometheus", prometheus.url, "--since", "5m", "--output", tmp_path / "models")
    first = run(*asked, "--model", beginning, "--promote-if-better")
    assert first["promoted"]
    record = tmp_path / "models/current/retraining.json"
    text = json.loads(record.read_text())
    text["telemetry"]["proportions"] = {"T1": 0.4, "T2": 0.6, "T3": 0.0}  # as if T2 had been more
    record.write_text(json.dumps(text))
    second = run(*asked)
    assert sorted(second["telemetry"]["vnfs"].values()) == ["T1", "T2"]
    assert len(second["telemetry"]["left_out"]) == 1
    assert second["telemetry"]["proportions"] == {"T1": 0.4, "T2": 0.6, "T3": 0.0}


def test_a_model_that_is_not_better_is_not_promoted(
    prometheus: Prometheus, beginning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("--from-prometheus", prometheus.url, "--since", "5m", "--output", tmp_path / "models")
    first = run(*asked, "--model", beginning, "--promote-if-better")
    from testbedctl.forecast.training import trainer

    whole = trainer.train

    def spoilt(*arguments: Any, **keywords: Any) -> Any:
        model = whole(*arguments, **keywords)
        worse = {name: value * -2 for name, value in model.weights.items()}
        return type(model)(model.document, worse)

    monkeypatch.setattr(trainer, "train", spoilt)
    second = run(*asked, "--promote-if-better")
    assert (second["better"], second["promoted"]) == (False, False)
    assert ModelStore(tmp_path / "models").current == tmp_path / "models" / first["candidate"]["version"]


def test_too_little_telemetry_changes_nothing(
    prometheus: Prometheus, beginning: Path, tmp_path: Path
) -> None:
    asked = ("--from-prometheus", prometheus.url, "--model", beginning, "--output", tmp_path / "models")
    with pytest.raises(Inconclusive, match="30 are needed: nothing was promoted"):
        run(*asked, "--since", f"{int(time.time()) - prometheus.end_s + 30}s")
    with pytest.raises(Inconclusive, match="has no telemetry of VNFs"):
        run(*asked, "--lab", "another")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begin.onnx"]


def test_an_interruption_leaves_the_store_as_it_was(
    prometheus: Prometheus, beginning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("--from-prometheus", prometheus.url, "--since", "5m", "--output", tmp_path / "models")
    run(*asked, "--model", beginning, "--promote-if-better")
    before = sorted(path.name for path in (tmp_path / "models").iterdir())

    def full(*_: object, **__: object) -> None:
        raise RunFailed("cannot write: No space left on device")

    monkeypatch.setattr("testbedctl.forecast.retraining.renewal.write_bytes", full)
    with pytest.raises(RunFailed, match="No space left"):
        run(*asked, "--promote-if-better")
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == before


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"units": "trace", "scaling": "global"}, "was trained on a trace"),
        ({"step_s": 300.0}, r"is for steps of 300 s; --step-s is 1"),
        ({"scaling": "per-vm"}, "lowest and the highest value of each VM"),
    ],
)
def test_a_model_for_something_else_is_refused_before_anything_is_asked(
    tmp_path: Path, model: dict[str, Any], message: str
) -> None:
    directory = tmp_path / "model"
    directory.mkdir()
    trained(**model).save(directory)
    asked = ("--from-prometheus", "http://127.0.0.1:9", "--model", directory, "--output", tmp_path / "models")
    with pytest.raises(UsageError, match=message):
        run(*asked)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("--since", "yesterday"), UsageError, "'yesterday' is not a time"),
        (("--since", "0s"), UsageError, "'0s' is not a time"),
        (("--since", "400d"), UsageError, "'400d' is not a time"),
        (("--model", "none.onnx"), InvalidFile, "the model file none.onnx is missing"),
        (("--model", "none"), InvalidFile, "none holds no trained model"),
        (("--from-prometheus", "here"), UsageError, "'here' is not the address"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...], kind: type[TestbedError], message: str, beginning: Path, tmp_path: Path
) -> None:
    asked = ("--from-prometheus", "http://127.0.0.1:9", "--model", beginning, "--output", tmp_path / "models")
    with pytest.raises(kind, match=message):
        run(*asked, *arguments)
    assert not (tmp_path / "models").exists()
