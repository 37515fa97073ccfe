"""Retraining: a warm start on a new window of telemetry, and a contest on its newest part (§4)."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from testbedctl import __version__
from testbedctl.forecast.dataset.features import feature_names
from testbedctl.forecast.dataset.store import save_dataset
from testbedctl.forecast.retraining.contest import HeldOut
from testbedctl.forecast.retraining.incumbent import adopt
from testbedctl.forecast.retraining.record import Contender, RetrainingRecord, Telemetry, read_record
from testbedctl.forecast.retraining.store import DATASET, MODEL_FILE, RECORD, ModelStore
from testbedctl.forecast.retraining.window import Choose, Proportions, Tell, Window
from testbedctl.forecast.runtime.export import export
from testbedctl.forecast.runtime.onnx_forecaster import OnnxForecaster
from testbedctl.forecast.series import Dataset
from testbedctl.records.files import json_text, write_bytes

if TYPE_CHECKING:
    from testbedctl.forecast.dataset.manifest import Manifest
    from testbedctl.forecast.training.config import TrainingConfig
    from testbedctl.forecast.training.document import Epoch
    from testbedctl.forecast.training.trained import TrainedModel


def renew(
    store: ModelStore, current: TrainedModel, window: Window, *, choose: Choose, tell: Tell
) -> RetrainingRecord:
    """Train a new version of ``current`` on a window of telemetry and judge both on the newest part of it.

    The new version is in the store afterwards, and not yet the current one. Raises ``Inconclusive`` for too
    little telemetry: then nothing was written.
    """
    before = read_record(store.current / RECORD) if store.current else None
    series, proportions = window.kept(before.telemetry.proportions if before else None, choose)
    # a step that was measured is 0.9998 s where 1 s is meant, and a model has one step all its life
    dataset = Dataset("", current.step_s, "allotment", feature_names("allotment"), "", series)
    config = current.config
    held_out = HeldOut(dataset, config.train_share, window=config.window, horizon=config.horizon)
    at = store.current or adopt(store, current)
    with store.version() as directory:
        manifest = _save(dataset, window, directory)
        known = replace(dataset, name=manifest.name, sha256=manifest.sha256)
        candidate = _trained(config, known, directory, at, tell)
        tell("judging both on the newest telemetry")
        old, new = (_contender(version, held_out, dataset.step_s) for version in (at, directory))
        record = RetrainingRecord(
            tool=f"testbedctl {__version__}",
            telemetry=_telemetry(window, manifest, proportions),
            held_out_windows=len(held_out.truth),
            window=config.window,
            horizon=config.horizon,
            current=old,
            candidate=new,
            persistence=held_out.persistence(),
            better=new.score.beats(old.score),
            epochs=len(candidate.history),
            training_s=round(candidate.seconds, 3),
        )
        _write(directory, candidate, record)
    return record


def _save(dataset: Dataset, window: Window, directory: Path) -> Manifest:
    return save_dataset(
        directory / DATASET,
        dataset.series,
        name=f"{window.source.lab or 'telemetry'} {directory.stem}",
        source=f"Prometheus at {window.source.shown}",
        terms="telemetry of the testbed of whoever retrained",
    )


def _trained(config: TrainingConfig, dataset: Dataset, directory: Path, at: Path, tell: Tell) -> TrainedModel:
    """The candidate, as a model file too."""
    from testbedctl.forecast.training.torch_there import use_threads
    from testbedctl.forecast.training.trainer import train

    def observe(epoch: Epoch) -> None:
        tell(f"training, epoch {epoch.number}: validation loss {epoch.validation_loss:.5f}")

    use_threads()  # the other cores belong to the testbed, which goes on running
    candidate = train(config, dataset, directory, observe=observe, warm_start=at)
    export(candidate, directory / MODEL_FILE, metrics={})
    return candidate


def _contender(version: Path, held_out: HeldOut, step_s: float) -> Contender:
    """The version as the balancer would run it: by its model file."""
    forecaster = OnnxForecaster.load(version / MODEL_FILE, step_s=step_s, units="allotment")
    return Contender(
        version=version.stem,
        weights_sha256=forecaster.metadata.weights_sha256,
        score=held_out.score(forecaster),
    )


def _telemetry(window: Window, manifest: Manifest, proportions: Proportions) -> Telemetry:
    classes = window.recording.classes
    return Telemetry(
        prometheus=window.source.shown,
        lab=window.source.lab,
        start_unix_s=window.start_unix_s,
        end_unix_s=window.end_unix_s,
        step_s=manifest.step_s,
        rows=manifest.rows,
        gaps=manifest.gaps,
        vnfs={vnf: classes[vnf] for vnf in manifest.vms},
        left_out=sorted(classes.keys() - manifest.vms.keys()),
        proportions=dict(proportions),
        dataset_sha256=manifest.sha256,
    )


def _write(directory: Path, candidate: TrainedModel, record: RetrainingRecord) -> None:
    """The model file once more, with what is known of it now, and the record."""
    metrics = {
        "validation_loss": candidate.best.validation_loss,
        "held_out": asdict(record.candidate.score),
        "held_out_persistence_rmse": record.persistence.rmse,
    }
    export(candidate, directory / MODEL_FILE, metrics=metrics)
    document = record.model_dump(mode="json", by_alias=True)
    write_bytes(directory / RECORD, (json_text(document, indent=2) + "\n").encode())
