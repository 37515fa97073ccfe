"""An evaluation as files: JSON, Markdown, CSV, and every figure as PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from testbedctl.forecast.evaluation.architecture import layers_of
from testbedctl.forecast.evaluation.architecture_figure import architecture_figure
from testbedctl.forecast.evaluation.figures import figures_of
from testbedctl.forecast.evaluation.result import PERSISTENCE, Evaluation, save
from testbedctl.forecast.evaluation.table import csv_text, markdown
from testbedctl.forecast.evaluation.trace import trace
from testbedctl.records.files import cannot_write, write_bytes
from testbedctl.render.drawing import Drawing, write
from testbedctl.units import count

if TYPE_CHECKING:
    from testbedctl.forecast.evaluation.contest import Judging
    from testbedctl.forecast.training.trained import TrainedModel

FIGURES = "figures"


def publish(evaluation: Evaluation, drawings: Sequence[Drawing], directory: Path) -> list[Path]:
    """Write ``evaluation.json``, ``evaluation.md``, ``evaluation.csv`` and ``figures/``; returns the paths.

    Raises RunFailed if that is impossible.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(directory, error) from error
    figures = write(drawings, directory / FIGURES, option="--output")
    links = [(drawing.caption, f"{FIGURES}/{drawing.name}.png") for drawing in drawings]
    texts = {"evaluation.md": markdown(evaluation, links), "evaluation.csv": csv_text(evaluation)}
    for name, text in texts.items():
        write_bytes(directory / name, text.encode())
    return [save(evaluation, directory), *(directory / name for name in texts), *figures]


def drawings_of(judging: Judging, vms: Sequence[str]) -> list[Drawing]:
    """The figures of one data set; ``vms`` are drawn against the truth, by default the one in the middle of
    the errors of persistence."""
    shown = vms or [middle_vm(judging.per_vm)]
    models = [each for each in judging.contenders if each.kind != "baseline"]
    drawn = models or [each for each in judging.contenders if each.name == PERSISTENCE]
    share = judging.judgement.train_share
    return figures_of(judging.judgement, [trace(drawn, judging.dataset, vm, share) for vm in shown])


def architectures(models: Sequence[TrainedModel]) -> list[Drawing]:
    """Figures 9 and 10: the layers of the paper's two models, of each the first."""
    drawings = []
    for model, number in (("lstm", 9), ("transformer", 10)):
        trained = next((each for each in models if each.config.model == model), None)
        if trained is not None:
            layers = layers_of(trained.module(), trained.config.window)
            caption = f"Figure {number}: {model.upper() if model == 'lstm' else model.capitalize()}, "
            caption += f"{trained.parameters:,} weights, {count(trained.config.window, 'step')} in"
            drawings.append(architecture_figure(layers, f"architecture-{model}", caption))
    return drawings


def middle_vm(per_vm: Mapping[str, float]) -> str:
    """The VM whose error is the median (the lower one of two)."""
    ranked = sorted(per_vm, key=lambda vm: (per_vm[vm], vm))
    return ranked[(len(ranked) - 1) // 2]
