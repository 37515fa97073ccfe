"""``forecast retrain``: a new version of a model from the newest telemetry, promoted only if it is better."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbedctl.cli.options import Json, Lab, Wait
from testbedctl.cli.output import emit_json, err, json_asked, out
from testbedctl.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from testbedctl.forecast.retraining.record import RetrainingRecord
    from testbedctl.forecast.retraining.source import Source
    from testbedctl.forecast.retraining.store import ModelStore

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_DAYS = 366

PrometheusUrl = Annotated[
    str | None,
    typer.Option(
        "--from-prometheus",
        envvar="TESTBEDCTL_RETRAIN_PROMETHEUS",
        metavar="URL",
        help="The Prometheus to ask; that of a lab of ours if left out.",
        show_default=False,
    ),
]
Since = Annotated[
    str,
    typer.Option(
        "--since",
        envvar="TESTBEDCTL_RETRAIN_SINCE",
        metavar="TIME",
        help="How far back, as in 90s, 30m, 24h, 7d.",
    ),
]
Beginning = Annotated[
    Path | None,
    typer.Option(
        "--model",
        envvar="TESTBEDCTL_RETRAIN_MODEL",
        metavar="DIR|FILE",
        help="What an empty store begins with; the shipped model if left out.",
        show_default=False,
    ),
]
Store = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        envvar="TESTBEDCTL_RETRAIN_OUTPUT",
        metavar="DIR",
        help="The store of the model's versions.",
    ),
]
Step = Annotated[
    float,
    typer.Option(
        "--step-s",
        envvar="TESTBEDCTL_RETRAIN_STEP_S",
        metavar="S",
        min=0.1,
        max=3600,
        help="Seconds of a step.",
    ),
]
Promote = Annotated[
    bool,
    typer.Option(
        "--promote-if-better",
        envvar="TESTBEDCTL_RETRAIN_PROMOTE",
        help="Make it the current version if it beats that on the newest telemetry.",
    ),
]


def register(group: typer.Typer) -> None:
    """Add this module's commands to ``forecast``."""
    group.command("retrain")(retrain)


def retrain(
    prometheus: PrometheusUrl = None,
    lab: Lab = None,
    since: Since = "24h",
    model: Beginning = None,
    output: Store = Path("models"),
    step_s: Step = 1.0,
    promote: Promote = False,
    wait: Wait = 0,
    json: Json = False,  # noqa: ARG001 - read through output.json_asked
) -> None:
    """Train a model further on the newest telemetry, and promote it only if it forecasts that better."""
    import time

    from testbedctl.cli.progress import phases
    from testbedctl.experiment.scrapes import believed
    from testbedctl.forecast.retraining.incumbent import incumbent
    from testbedctl.forecast.retraining.renewal import renew
    from testbedctl.forecast.retraining.store import ModelStore
    from testbedctl.forecast.retraining.window import record_window
    from testbedctl.forecast.runtime.onnx_forecaster import SHIPPED

    length_s, store = _seconds(since), ModelStore(output)
    with store.locked(wait), phases("retrain") as tell:
        current = incumbent(store, model or SHIPPED, step_s)
        with _reached(prometheus, lab) as source:
            end_s = time.time()
            window = record_window(
                source, end_s - length_s, end_s, step_s=step_s, believe=believed, tell=tell
            )
        record = renew(store, current, window, choose=_keeping_proportions, tell=tell)
        promoted = promote and record.better
        if promoted:
            store.promote(record.candidate.version)
    if json_asked():
        emit_json(
            {**record.model_dump(mode="json", by_alias=True), "promoted": promoted, "store": str(output)}
        )
    else:
        _tell(record, store, promoted=promoted)


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9})([smhd])", text.strip())
    length_s = int(found[1]) * SECONDS[found[2]] if found else 0
    if not 0 < length_s <= LONGEST_DAYS * SECONDS["d"]:
        raise UsageError(
            f"--since {text!r} is not a time", hint=f"as in 90s, 30m, 24h, 7d; at most {LONGEST_DAYS}d"
        )
    return length_s


@contextmanager
def _reached(prometheus: str | None, lab: str | None) -> Iterator[Source]:
    """The Prometheus at an address, or that of a lab of ours, which answers in the lab's own network."""
    from testbedctl.forecast.retraining.source import Source

    if prometheus is not None:
        yield Source(prometheus, lab)
        return
    from testbedctl.backends.local.lab import PROMETHEUS_URL, running

    found = running(lab)
    with found.inside_management():
        yield Source(PROMETHEUS_URL, found.name)


def _keeping_proportions(
    by_class: Mapping[str, Sequence[str]], before: Mapping[str, float] | None
) -> tuple[list[str], dict[str, float]]:
    """§5.1: "ongoing preservation of the proportional distribution of the three VNF types". They are those of
    the data that the current version learned from, or those of the first window."""
    from testbedctl.classes.proportions import keep_proportions, proportions_of
    from testbedctl.spec.assignment import CLASSES
    from testbedctl.spec.classes import Proportions

    known = {each: by_class[each] for each in CLASSES if each in by_class}
    if not known:
        return [], {}
    proportions = Proportions(**before) if before else proportions_of(known)
    kept = keep_proportions(known, proportions, seed=0)
    return [name for names in kept.values() for name in names], proportions.model_dump()


def _tell(record: RetrainingRecord, store: ModelStore, *, promoted: bool) -> None:
    from rich.text import Text

    from testbedctl.units import count, human_duration

    learned = record.telemetry
    left = f", {', '.join(learned.left_out)} left out (§5.1)" if learned.left_out else ""
    asked = human_duration(learned.end_unix_s - learned.start_unix_s)
    lines = [
        f"telemetry  {count(len(learned.vnfs), 'VNF')}, {learned.rows} rows, {count(learned.gaps, 'gap')} "
        f"in the last {asked}{left}",
        f"training   {count(record.epochs, 'epoch')} in {human_duration(record.training_s)}, "
        f"judged on the {record.held_out_windows} newest windows:",
    ]
    for line in lines:
        out().print(Text(line), soft_wrap=True)
    out().print(_table(record))
    out().print(Text(_verdict(record, store, promoted=promoted)), soft_wrap=True)
    if record.candidate.score.rmse >= record.persistence.rmse:
        told = 'warning: the new version is no better than persistence ("what is now, stays")'
        err().print(told, style="yellow", markup=False, soft_wrap=True)


def _table(record: RetrainingRecord) -> Table:
    from rich.table import Table
    from rich.text import Text

    from testbedctl.ports import RESOURCES

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("model", "RMSE", *RESOURCES, "pinball"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=name == "model")
    shown = {
        "persistence": record.persistence,
        f"current {record.current.version}": record.current.score,
        f"new {record.candidate.version}": record.candidate.score,
    }
    for name, score in shown.items():
        values = (score.rmse, *(score.rmse_by_resource[resource] for resource in RESOURCES), score.pinball)
        table.add_row(Text(name), *("–" if value is None else f"{value:.4f}" for value in values))
    return table


def _verdict(record: RetrainingRecord, store: ModelStore, *, promoted: bool) -> str:
    current = store.root / "current"
    if promoted:
        return f"better: {current} leads to it now, {store.root / 'previous'} to the version before"
    if record.better:
        return f"better, and not promoted: --promote-if-better would have ({current} is as it was)"
    return f"not better: {current} is as it was"
