"""The evaluation as tables: one set of columns for the terminal, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from testbedctl.forecast.evaluation.result import Contestant, Evaluation, Judgement
from testbedctl.ports import RESOURCES
from testbedctl.units import count, human_duration, percent

UNKNOWN = "–"
SHOWN_QUANTILE = 0.9
LEGEND = "÷ pers.: by persistence's error; > q90: steps above the forecast 90 % quantile, 10 % if it is right"


@dataclass(frozen=True)
class Sheet:
    """A table of strings; the first column is text, all others are set to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def horizons(judgement: Judgement) -> tuple[int, ...]:
    """The steps ahead that get a table: the next one, and how far each contestant looks."""
    measured = [row.horizon for row in judgement.contestants if row.kind != "baseline" and row.errors]
    return tuple(sorted({1, *measured} if measured else {1, judgement.horizon}))


def error_sheet(judgement: Judgement, ahead: int) -> Sheet:
    """RMSE per resource, their uniform mean and its ratio to persistence, ``ahead`` steps ahead."""
    seconds = human_duration(ahead * judgement.step_s)
    rows = []
    for row in judgement.contestants:
        error = row.error(ahead)
        if error is not None:
            values = (*(f"{error.rmse[name]:.4f}" for name in RESOURCES), f"{error.mean:.4f}")
            rows.append((row.name, _known(row.window, "d"), *values, _known(error.to_persistence, ".3f")))
    columns = ("model", "window", *RESOURCES, "mean", "÷ pers.")
    return Sheet(f"RMSE {count(ahead, 'step')} ({seconds}) ahead", columns, tuple(rows))


def cost_sheet(judgement: Judgement) -> Sheet:
    """What each contestant is and costs, and how often the truth was above its 90 % quantile."""
    columns = ("model", "scaling", "ahead", "> q90", "training", "epochs", "1 forecast", "weights")
    rows = tuple((row.name, row.scaling, f"{row.horizon}", *_costs(row)) for row in judgement.contestants)
    return Sheet("Cost and calibration", columns, rows)


def whole_sheet(judgement: Judgement, ahead: int) -> Sheet:
    """Both in one, for a wide terminal and for Markdown."""
    errors, costs = error_sheet(judgement, ahead), cost_sheet(judgement)
    right = {row[0]: row[1:] for row in costs.rows}
    rows = tuple((*row, *right[row[0]]) for row in errors.rows)
    return Sheet(errors.title, (*errors.columns, *costs.columns[1:]), rows)


def training_sheet(judgement: Judgement) -> Sheet:
    """Table 5 of the predictive-slicing paper: what each model took to train, and with which settings."""
    columns = ("model", "weights", "epochs", "training", "per epoch", "batch", "learning rate")
    rows = []
    for row in judgement.contestants:
        if row.config and row.training_s and row.epochs:
            settings = (f"{row.config['batch_size']}", f"{row.config['learning_rate']:g}")
            per_epoch = human_duration(row.training_s / row.epochs)
            times = (f"{row.epochs}", human_duration(row.training_s), per_epoch)
            rows.append((row.name, _known(row.parameters, ",d"), *times, *settings))
    return Sheet("Training", columns, tuple(rows))


def head(judgement: Judgement) -> list[str]:
    """What was judged and how: an error means nothing without its scaling."""
    share = f"{percent(1 - judgement.train_share):.0f} %"
    trained = f"{percent(judgement.train_share):.0f} %"
    space = (
        f"values scaled to [0, 1] per VM by its first {trained}"
        if judgement.units == "trace"
        else "ratios of each VM's allotment"
    )
    lines = [
        f"{'foreign ' if judgement.foreign else ''}data set {judgement.dataset}: "
        f"{count(len(judgement.vms), 'VM')}, {judgement.forecasts:,} forecasts in the last {share} of each",
        f"errors are of {space}; every row is judged on the same "
        f"steps ({count(judgement.window, 'step')} of history, {judgement.horizon} ahead)",
    ]
    models = [row for row in judgement.contestants if row.kind != "baseline"]
    seen = ", ".join(f"{row.name} {'?' if row.seen is None else row.seen}" for row in models)
    if seen:
        lines.append(f"of these VMs, whose first {trained} a model has learned from: {seen}")
    lines += [f"{row.name} was not measured: {row.why}" for row in judgement.contestants if row.why]
    if judgement.left_out:
        shown = ", ".join(f"{vm} ({why})" for vm, why in list(judgement.left_out.items())[:5])
        lines.append(f"{count(len(judgement.left_out), 'VM')} left out: {shown}")
    return lines


def markdown(evaluation: Evaluation, figures: Sequence[tuple[str, str]] = ()) -> str:
    """The evaluation as a page; ``figures`` are captions and the paths that the page links to."""
    lines = ["# Evaluation of forecasts", ""]
    for judgement in evaluation.judgements:
        lines += [f"## {judgement.dataset}", ""]
        lines += [f"- {sentence}" for sentence in head(judgement)]
        for ahead in horizons(judgement):
            lines += ["", *_markdown(whole_sheet(judgement, ahead))]
        lines += ["", LEGEND]
        if (training := training_sheet(judgement)).rows and not judgement.foreign:
            lines += ["", *_markdown(training)]
        lines.append("")
    for caption, path in figures:
        lines += [f"![{caption}]({path})", "", f"*{caption}*", ""]
    return "\n".join(lines).rstrip() + "\n"


def csv_text(evaluation: Evaluation) -> str:
    """One row per data set, contestant and step ahead, in plain numbers; what is not known is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = ("dataset", "model", "kind", "scaling", "window", "horizon", "ahead")
    own = ("above_q90", "training_s", "epochs", "prediction_s", "parameters")
    writer.writerow([*names, *(f"rmse_{name}" for name in RESOURCES), "rmse_mean", "to_persistence", *own])
    for judgement in evaluation.judgements:
        for row in judgement.contestants:
            for error in row.errors:
                about = (judgement.dataset, row.name, row.kind, row.scaling, row.window, row.horizon)
                values = (*(error.rmse[name] for name in RESOURCES), error.mean, error.to_persistence)
                cost = (row.training_s, row.epochs, row.prediction_s, row.parameters)
                writer.writerow([*about, error.ahead, *values, row.share_above(SHOWN_QUANTILE), *cost])
    return stream.getvalue()


def _costs(row: Contestant) -> tuple[str, ...]:
    above = row.share_above(SHOWN_QUANTILE)
    return (
        UNKNOWN if above is None else f"{percent(above):.1f} %",
        UNKNOWN if row.training_s is None else human_duration(row.training_s),
        _known(row.epochs, "d"),
        UNKNOWN if row.prediction_s is None else _short(row.prediction_s),
        _known(row.parameters, ",d"),
    )


def _short(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms" if seconds >= 1e-4 else f"{1e6 * seconds:.0f} µs"


def _known(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)


def _markdown(sheet: Sheet) -> list[str]:
    lines = [f"**{sheet.title}**", "", "| " + " | ".join(sheet.columns) + " |"]
    lines.append("|---" + "|---:" * (len(sheet.columns) - 1) + "|")
    return lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in sheet.rows]
