"""``forecast windows``: the paper's LSTM over the length of its window (§7.1)."""

from __future__ import annotations

import typer

from testbedctl.cli.forecast.evaluate_options import Vms, WindowsConfig, WindowsOutput
from testbedctl.cli.forecast.train_options import DatasetArgument
from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, err, out
from testbedctl.cli.progress import phases


def register(group: typer.Typer) -> None:
    """Add this module's commands to ``forecast``."""
    group.command()(windows)


def windows(
    dataset: DatasetArgument,
    output: WindowsOutput,
    vms: Vms = None,
    config: WindowsConfig = None,
    json: Json = False,
) -> None:
    """Train the paper's LSTM with 1 to 24 past steps and judge all on the same steps."""
    from testbedctl.forecast.dataset.store import open_dataset
    from testbedctl.forecast.evaluation.lengths import train_lengths
    from testbedctl.forecast.evaluation.publish import drawings_of, publish
    from testbedctl.forecast.evaluation.selection import select
    from testbedctl.forecast.evaluation.terminal import render
    from testbedctl.forecast.training.config_file import configuration
    from testbedctl.forecast.training.torch_there import require_torch, use_threads

    require_torch()
    use_threads()
    base = configuration(config, {})
    data = open_dataset(dataset)
    chosen = select(data, vms, frozenset())
    with phases("windows") as tell:
        evaluation, judging = train_lengths(data, chosen, base, output / "models", observe=tell)
        tell("drawing")
        written = publish(evaluation, drawings_of(judging, ()), output)
    err().print(f"{len(written)} files written to {output}", markup=False, soft_wrap=True)
    if json:
        emit_json(evaluation.document())
    else:
        render(evaluation, out())
