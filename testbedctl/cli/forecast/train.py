"""``forecast train``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from testbedctl.cli.forecast.epochs import epoch_progress
from testbedctl.cli.forecast.train_options import (
    Config,
    DatasetArgument,
    Epochs,
    Horizon,
    MaxMinutes,
    Model,
    Output,
    Quantile,
    Scaling,
    Seed,
    Threads,
    Vms,
    WarmStart,
    Window,
)
from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, err, json_asked, out
from testbedctl.errors import Interrupted

if TYPE_CHECKING:
    from testbedctl.forecast.series import Dataset
    from testbedctl.forecast.training.trained import TrainedModel


def register(group: typer.Typer) -> None:
    """Add this module's commands to ``forecast``."""
    group.command("train")(train)


def train(
    dataset: DatasetArgument,
    output: Output,
    model: Model = None,
    config: Config = None,
    window: Window = None,
    horizon: Horizon = None,
    scaling: Scaling = None,
    quantile: Quantile = None,
    epochs: Epochs = None,
    seed: Seed = None,
    vms: Vms = None,
    max_minutes: MaxMinutes = None,
    warm_start: WarmStart = None,
    threads: Threads = 1,
    json: Json = False,  # noqa: ARG001 - read through output.json_asked
) -> None:
    """Train a model on the first part of each VM's time, 80 % of its rows. The rest is not looked at."""
    from testbedctl.forecast.dataset.store import open_dataset
    from testbedctl.forecast.training.config_file import configuration
    from testbedctl.forecast.training.torch_there import require_torch, use_threads

    require_torch()
    asked = {
        "model": model, "window": window, "horizon": horizon, "epochs": epochs, "seed": seed,
        "scaling": scaling.value if scaling else None, "quantiles": tuple(quantile) if quantile else None,
    }  # fmt: skip
    configured = configuration(config, {key: value for key, value in asked.items() if value is not None})
    use_threads(threads)
    opened = open_dataset(dataset)
    chosen = _chosen(opened, vms, configured.seed)
    with epoch_progress(configured.epochs, max_minutes) as progress, _resumable(output):
        from testbedctl.forecast.training.trainer import train as run_training

        trained = run_training(
            configured, opened, output, observe=progress.observe, vms=chosen, warm_start=warm_start
        )
    _tell(trained, output, progress.out_of_time)


def _chosen(dataset: Dataset, vms: str | None, seed: int) -> tuple[str, ...] | None:
    """A bare number is how many; anything else is names, so one VM called 120 is ``120,``."""
    from testbedctl.forecast.training.sample import choose, named

    if vms is None:
        return None
    if vms.strip().isdecimal():
        return choose(dataset, int(vms), seed)
    return named(dataset, [name.strip() for name in vms.split(",") if name.strip()])


@contextmanager
def _resumable(directory: Path) -> Iterator[None]:
    from testbedctl.forecast.training.trained import CHECKPOINT

    checkpoint = directory / CHECKPOINT
    if checkpoint.exists():
        err().print(f"going on with the training in {directory}", markup=False, soft_wrap=True)
    try:
        yield
    except KeyboardInterrupt:
        if not checkpoint.exists():
            raise Interrupted("interrupted within the first epoch; nothing was kept") from None
        raise Interrupted(
            f"interrupted; the checkpoint of the last whole epoch is kept in {directory}",
            hint="give the same command again: it goes on from there, with the same result",
        ) from None


def _tell(trained: TrainedModel, directory: Path, out_of_time: bool) -> None:
    from testbedctl.units import count

    document = trained.document
    if document.skipped:
        err().print(
            f"{len(document.skipped)} of {count(len(document.vms), 'VM')} too short, or too full of gaps, "
            f"for a window: {', '.join(document.skipped[:10])}{' …' if len(document.skipped) > 10 else ''}",
            markup=False,
            soft_wrap=True,
        )
    if json_asked():
        emit_json(_facts(trained, directory, out_of_time))
        return
    _table(trained, directory, out_of_time)
    console = out()
    for after in (f"evaluate {directory} --dataset DATASET", f"export {directory} --output FILE.onnx"):
        console.print(f"next: testbedctl forecast {after}", style="dim", markup=False, soft_wrap=True)


def _ended(trained: TrainedModel, out_of_time: bool) -> str:
    if out_of_time:
        return "out of time; the same command goes on"
    waited = len(trained.history) - trained.best.number
    return "no improvement any more" if waited >= trained.config.patience else "all epochs done"


def _facts(trained: TrainedModel, directory: Path, out_of_time: bool) -> dict[str, Any]:
    return {
        "model": str(directory), "name": trained.config.model, "dataset": trained.dataset_name,
        "dataset_sha256": trained.dataset_sha256, "config": trained.config.model_dump(mode="json"),
        "vms": len(trained.vms), "skipped": list(trained.document.skipped), "epochs": len(trained.history),
        "best_epoch": trained.best.number, "validation_loss": trained.best.validation_loss,
        "seconds": trained.seconds, "parameters": trained.parameters, "threads": trained.document.threads,
        "ended": _ended(trained, out_of_time),
    }  # fmt: skip


def _table(trained: TrainedModel, directory: Path, out_of_time: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from testbedctl.units import count, human_duration

    config = trained.config
    shape = f"window {config.window}, horizon {config.horizon}, scaling {config.scaling}"
    own_loss = hasattr(trained.module(), "loss")
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, value in (
        ("model", f"{config.model}, {shape}"),
        ("data", f"{trained.dataset_name}, {count(len(trained.vms), 'VM')}"),
        ("epochs", f"{len(trained.history)}, best {trained.best.number}; {_ended(trained, out_of_time)}"),
        (
            "validation loss",
            f"{trained.best.validation_loss:.5f} ({'the model’s own' if own_loss else 'MAE'})",
        ),
        ("time", f"{human_duration(trained.seconds)}, {count(trained.document.threads, 'thread')}"),
        ("parameters", f"{trained.parameters:,}"),
        ("written to", str(directory)),
    ):
        table.add_row(name, Text(value, overflow="fold"))
    out().print(table)
