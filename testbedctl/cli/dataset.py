"""``dataset``: import public traces, collect own telemetry, describe both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, err, out
from testbedctl.units import count, human_bytes

if TYPE_CHECKING:
    from testbedctl.forecast.dataset.importer import Progress
    from testbedctl.forecast.dataset.manifest import Manifest

PANEL = "Forecasts and classes"
SHOWN_PLACES = 3

OutputOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        envvar="TESTBEDCTL_DATASET_OUTPUT",
        metavar="DIR",
        help="Directory of the new data set.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name",
        envvar="TESTBEDCTL_DATASET_NAME",
        help="Name that models and reports give it; that of what is read, or of DIR, if left out.",
        show_default=False,
    ),
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force", envvar="TESTBEDCTL_DATASET_FORCE", help="Replace the data set that DIR is; nothing else."
    ),
]

dataset = typer.Typer(
    name="dataset",
    help="Data sets that forecasts are learnt from: public traces, and own telemetry.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.add_typer(dataset, rich_help_panel=PANEL)


def _checked_share(share: float) -> float:
    if math.isnan(share):  # a range of numbers lets it pass
        raise typer.BadParameter("nan is no share")
    return share


@dataset.command("import")
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            envvar="TESTBEDCTL_TRACE",
            help="A CSV of the Grid Workloads Archive (GWA-T-12, GWA-T-13), a folder of them, or its zip.",
            show_default=False,
        ),
    ],
    output: OutputOption,
    name: NameOption = None,
    max_broken_share: Annotated[
        float,
        typer.Option(
            "--max-broken-share",
            envvar="TESTBEDCTL_MAX_BROKEN_SHARE",
            min=0,
            max=1,
            callback=_checked_share,
            help="More broken rows than this share are an error.",
        ),
    ] = 0.01,
    terms: Annotated[
        str,
        typer.Option(
            "--terms", envvar="TESTBEDCTL_DATASET_TERMS", help="On which terms the trace may be used."
        ),
    ] = "research use, cite the Grid Workloads Archive",
    force: ForceOption = False,
    as_json: Json = False,
) -> None:
    """Import a public trace. Rows that cannot be used are counted and named, and too many are an error."""
    from testbedctl.forecast.dataset.importer import import_traces

    with _progress(f"importing {path.name}") as observe:
        manifest = import_traces(
            path,
            output,
            name=name,
            terms=terms,
            max_broken_share=max_broken_share,
            replace=force,
            observe=observe,
        )
    _show(manifest, output, as_json=as_json)


@dataset.command()
def collect(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Directories or names of runs; their complete trials.", show_default=False
        ),
    ],
    output: OutputOption,
    name: NameOption = None,
    force: ForceOption = False,
    as_json: Json = False,
) -> None:
    """Collect what the testbed measured in its runs: one series per trial and VNF, one row a second."""
    from testbedctl.forecast.dataset.collection import collect_runs
    from testbedctl.records.catalogue import find_run

    found = [find_run(run).run for run in runs]
    manifest = collect_runs(found, output, name=name, replace=force)
    _show(manifest, output, as_json=as_json)


@dataset.command()
def describe(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", envvar="TESTBEDCTL_DATASET", help="A data set's directory.", show_default=False
        ),
    ],
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            envvar="TESTBEDCTL_DATASET_FIGURE",
            metavar="FILE",
            help="Draw the correlations into FILE.png or FILE.svg.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is in a data set, and how its features go together."""
    from testbedctl.forecast.dataset.description import describe as describe_
    from testbedctl.forecast.dataset.figure import check_format, write_figure
    from testbedctl.forecast.dataset.sheet import document, findings, tables

    if figure:
        check_format(figure)
    found = describe_(directory)
    if figure:
        write_figure(found, figure)
    if as_json:
        emit_json({**document(found), "dataset": str(directory), "figure": str(figure) if figure else None})
        return
    for line in _lines(found.manifest):
        out().print(line, markup=False, soft_wrap=True)
    for title, table in tables(found):
        out().print(f"\n{title}", markup=False)
        out().print(table)
    for finding in findings(found):
        out().print(f"\n{finding}", markup=False)
    if figure:
        err().print(f"drawn: {figure}", markup=False, soft_wrap=True)


def _show(manifest: Manifest, output: Path, *, as_json: bool) -> None:
    for warning in manifest.warnings:
        err().print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    _show_faults(manifest)
    if as_json:
        emit_json({"dataset": str(output), "manifest": manifest.model_dump(mode="json", by_alias=True)})
        return
    for line in _lines(manifest):
        out().print(line, markup=False, soft_wrap=True)


def _show_faults(manifest: Manifest) -> None:
    """Rows that cannot be used with every place that is named, the others with the first places."""
    from testbedctl.forecast.dataset.faults import BROKEN, KINDS

    for kind, fault in manifest.faults.items():
        err().print(
            f"{count(fault.count, 'row')} {kind}: {KINDS[kind]}", style="yellow", markup=False, soft_wrap=True
        )
        shown = fault.places if kind in BROKEN else fault.places[:SHOWN_PLACES]
        for place in shown:
            err().print(f"  {place.file}:{place.line}: {place.message}", markup=False, soft_wrap=True)
        if fault.count > len(shown):
            err().print(f"  … and {fault.count - len(shown)} more", markup=False)


def _lines(manifest: Manifest) -> Iterator[str]:
    from datetime import UTC, datetime

    begin, end = (datetime.fromtimestamp(unix_s, UTC) for unix_s in manifest.span)
    faults = ", ".join(f"{fault.count} {kind}" for kind, fault in manifest.faults.items())
    vms = count(len(manifest.vms), "VM")
    yield f"{manifest.name}: {count(manifest.rows, 'row')} of {vms}, format {manifest.format}"
    yield f"span     {begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"
    yield f"step     {manifest.step_s:g} s, {count(manifest.gaps, 'gap')} of more than 1.5 steps"
    yield f"faults   {faults or 'none'}"
    yield f"clock    {manifest.clock}"
    yield f"source   {manifest.source}; {manifest.terms}"
    yield f"sha256   {manifest.sha256}"


@contextmanager
def _progress(title: str) -> Iterator[Callable[[Progress], None]]:
    """A live bar on a terminal, a line for each quarter in a pipe."""
    console = err()
    if not console.is_terminal:
        yield _Quarters(title)
        return
    from rich.progress import BarColumn, DownloadColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(20), TaskProgressColumn())
    with Bar(*columns, DownloadColumn(binary_units=True), console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda now: bar.update(
            task,
            description=f"{title}: {now.rows} rows",
            completed=now.done_bytes,
            total=now.total_bytes,
        )


class _Quarters:
    """Plain lines that say how far the work is."""

    def __init__(self, title: str):
        self._title, self._told = title, 0

    def __call__(self, now: Progress) -> None:
        """Tell of a quarter that is done."""
        quarter = 4 * now.done_bytes // max(1, now.total_bytes)
        if quarter > self._told:
            self._told = quarter
            done = f"{human_bytes(now.done_bytes)} of {human_bytes(now.total_bytes)}"
            err().print(f"{self._title}: {done}, {now.rows} rows", markup=False, soft_wrap=True)
