"""``forecast evaluate``: every model beside the baselines, on the same steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from testbedctl.cli.forecast import claims, windows
from testbedctl.cli.forecast.evaluate_options import (
    Dataset,
    DrawnVms,
    ExcludeTrained,
    Foreign,
    Models,
    Output,
    Vms,
)
from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, err, out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbedctl.forecast.evaluation.contest import Judging
    from testbedctl.forecast.evaluation.result import Evaluation


def register(group: typer.Typer) -> None:
    """Add this module's commands to ``forecast``."""
    group.command()(evaluate)
    windows.register(group)
    claims.register(group)


def evaluate(
    models: Models,
    dataset: Dataset,
    foreign: Foreign = None,
    vms: Vms = None,
    exclude_trained: ExcludeTrained = False,
    output: Output = None,
    vm: DrawnVms = None,
    json: Json = False,
) -> None:
    """Judge models: error per resource against persistence and other baselines, cost, and calibration."""
    from testbedctl.forecast.dataset.store import open_dataset
    from testbedctl.forecast.evaluation.contender import open_contender
    from testbedctl.forecast.evaluation.contest import evaluation_of, run
    from testbedctl.forecast.evaluation.selection import select, trained_vms
    from testbedctl.forecast.training.sample import named

    data = open_dataset(dataset)
    own = [open_contender(path, data) for path in models]
    chosen = select(data, vms, trained_vms(own) if exclude_trained else frozenset())
    shown = named(data, vm) if vm else ()
    judgings = [run(own, data, chosen, observe=_told(data.name))]
    for path in foreign or []:
        other = open_dataset(path)
        there = [open_contender(each, other) for each in models]
        everyone = select(other, None, frozenset())
        judgings.append(run(there, other, everyone, foreign=True, observe=_told(other.name)))
    evaluation = evaluation_of([judging.judgement for judging in judgings])
    if output is not None:
        _publish(evaluation, judgings, models, shown, output)
    if json:
        emit_json(evaluation.document())
    else:
        _render(evaluation)


def _publish(
    evaluation: Evaluation,
    judgings: Sequence[Judging],
    models: Sequence[Path],
    shown: Sequence[str],
    output: Path,
) -> None:
    from testbedctl.forecast.evaluation.publish import architectures, drawings_of, publish
    from testbedctl.forecast.training.trained import TrainedModel

    trained = [TrainedModel.load(path) for path in models if path.suffix != ".onnx"]
    drawings = [*drawings_of(judgings[0], shown), *architectures(trained)]
    for judging in judgings[1:]:
        drawings += drawings_of(judging, ())
    written = publish(evaluation, drawings, output)
    err().print(f"{len(written)} files written to {output}", markup=False, soft_wrap=True)


def _render(evaluation: Evaluation) -> None:
    from testbedctl.forecast.evaluation.terminal import render

    render(evaluation, out())


def _told(name: str) -> Callable[[int, int], None]:
    """Progress on stderr, a line for each tenth of the VMs."""
    from testbedctl.units import count

    def tell(done: int, total: int) -> None:
        if done and (done * 10 // total) != ((done - 1) * 10 // total):
            err().print(f"{name}: {done} of {count(total, 'VM')} judged", markup=False, soft_wrap=True)

    return tell
