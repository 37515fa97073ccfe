"""``forecast search``: the best configuration of a model, by hyperband."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from testbedctl.cli.forecast.search_options import (
    Engine,
    EngineName,
    Minutes,
    Model,
    Output,
    Seed,
    Space,
    Storage,
    Trials,
    Vms,
    Workers,
)
from testbedctl.cli.forecast.train_options import DatasetArgument
from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, err, out
from testbedctl.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from testbedctl.forecast.search.best import Best
    from testbedctl.forecast.search.study import Progress
    from testbedctl.forecast.search.worker import Assignment

DEFAULT_TRIALS = 30


def register(group: typer.Typer) -> None:
    """Add this module's commands to ``forecast``."""
    group.command()(search)


def search(
    dataset: DatasetArgument,
    output: Output,
    model: Model = None,
    space: Space = None,
    vms: Vms = None,
    trials: Trials = None,
    minutes: Minutes = None,
    storage: Storage = None,
    engine: Engine = EngineName.LOCAL,
    workers: Workers = 1,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Search the best configuration of a model by hyperband (§7); the same command again goes on.

    Judged by validation loss: the last part of the training part. The test part is not looked at.
    """
    from testbedctl.forecast.search.best import best_of, write_best
    from testbedctl.forecast.search.engine import search as run_search
    from testbedctl.forecast.training.torch_there import require, require_torch

    require_torch()
    require("optuna")
    if model and space:
        raise UsageError("--model and --space are both given", hint="the space names its model in 'base'")
    record = storage or output.with_suffix(".journal")
    assignment, name = _assignment(dataset, vms, model, space, record, seed)
    budget = {"trials": trials, "seconds": minutes and minutes * 60}
    if trials is None and minutes is None:
        budget["trials"] = DEFAULT_TRIALS
    assignment = assignment.model_copy(update=budget)
    with _resumable(record), _shown() as observe:
        run_search(assignment, engine.value, workers, observe)
    best = best_of(assignment.study(), assignment.space)
    write_best(best, name, output)
    if json:
        emit_json({**best.document(), "output": str(output), "storage": str(record), "seed": seed})
    else:
        _tell(best, output)


def _assignment(
    dataset: Path, vms: str | None, model: str | None, space: Path | None, storage: Path, seed: int
) -> tuple[Assignment, str]:
    """What the workers are told, without the budget; and the data set's name."""
    from testbedctl.forecast.dataset.store import open_dataset
    from testbedctl.forecast.evaluation.selection import select
    from testbedctl.forecast.search.space import load_space, shipped_space
    from testbedctl.forecast.search.worker import Assignment

    opened = open_dataset(dataset)
    assignment = Assignment(
        dataset=dataset.resolve(),
        dataset_sha256=opened.sha256,
        vms=select(opened, vms, frozenset()) if vms else None,
        space=load_space(space) if space else shipped_space(model or "lstm"),
        storage=storage.resolve(),
        seed=seed,
        trials=None,
        seconds=None,
    )
    return assignment, opened.name


@contextmanager
def _resumable(record: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; the search so far is kept in {record}",
            hint="give the same command again: it goes on, with the trial that was cut off first",
        ) from None


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """Progress on stderr: a live line on a terminal, in a pipe a line when a trial has ended."""
    from testbedctl.forecast.search.wording import sentence

    console, told = err(), -1

    def line(progress: Progress) -> None:
        nonlocal told
        ended = progress.finished + progress.failed
        if ended != told:
            told = ended
            console.print(sentence(progress, running=False), markup=False, soft_wrap=True)

    if not console.is_terminal:
        yield line
        return
    with console.status("search") as status:
        yield lambda progress: status.update(sentence(progress, running=True))


def _tell(best: Best, output: Path) -> None:
    from testbedctl.forecast.search.wording import sentence, settings

    console = out()
    console.print(sentence(best.progress, running=False), markup=False, soft_wrap=True)
    for setting in settings(best.config):
        console.print(f"  {setting}", markup=False, soft_wrap=True)
    console.print(f"written to {output}", markup=False, soft_wrap=True)
    after = f"next: testbedctl forecast train DATASET --config {output} --output DIR"
    console.print(after, style="dim", markup=False, soft_wrap=True)
