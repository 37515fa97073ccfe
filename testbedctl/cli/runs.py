"""``runs``: list, show and remove recorded runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbedctl.cli.options import Json, RunArgument
from testbedctl.cli.output import emit_json, err, out
from testbedctl.errors import UsageError

if TYPE_CHECKING:
    from testbedctl.records.reader import RunReader

runs = typer.Typer(name="runs", help="List, show and remove recorded runs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.add_typer(runs, rich_help_panel="Measuring")


@runs.command("list")
def list_(as_json: Json = False) -> None:
    """List the runs in $TESTBEDCTL_RUNS (default ./runs), oldest first."""
    from rich.table import Table
    from rich.text import Text

    from testbedctl.records.catalogue import list_runs, runs_dir

    listing = list_runs()
    if as_json:
        damaged = [{"path": str(path), "message": error.message} for path, error in listing.damaged]
        emit_json({"runs": [_summary(run) for run in listing.runs], "damaged": damaged})
        return
    for _, error in listing.damaged:
        err().print(f"warning: {error.message}", style="yellow", markup=False, soft_wrap=True)
    if not listing.runs:
        err().print(f"no runs in {runs_dir()}", markup=False, soft_wrap=True)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("run", "status", "arms", "trials"):
        table.add_column(name, no_wrap=name == "run")
    for run in listing.runs:
        done = f"{len(run.trials)} of {len(run.manifest.order)}"
        table.add_row(*(Text(cell) for cell in (run.name, run.status, ", ".join(run.manifest.arms), done)))
    out().print(table)


@runs.command()
def show(run: RunArgument = None, as_json: Json = False) -> None:
    """Show what a run is: its manifest in short, or whole with --json."""
    from rich.text import Text

    from testbedctl.records.catalogue import find_run
    from testbedctl.report.wording import host_lines

    found = find_run(run).run
    if as_json:
        emit_json({**_summary(found), "manifest": found.manifest.model_dump(mode="json", by_alias=True)})
        return
    manifest = found.manifest
    lines = [
        f"{found.name}: {found.status}" + (f", {found.cause}" if found.cause else ""),
        f"path      {found.path}",
        f"lab       {manifest.lab}",
        f"profile   {manifest.profile['name']} against {manifest.service}, {len(manifest.steps)} steps",
        f"arms      {', '.join(manifest.arms)}",
        f"trials    {len(found.trials)} of {len(manifest.order)} complete, "
        f"{len(found.invalid_trials)} invalid, seed {manifest.seed}",
        f"created   {manifest.created}",
        f"finished  {manifest.finished or '–'}",
        *(f"host      {line}" for line in host_lines(manifest.host.model_dump(mode="json"))),
        *(f"warning   {warning}" for warning in manifest.warnings),
    ]
    for line in lines:
        out().print(Text(line), soft_wrap=True)


@runs.command()
def rm(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory or name.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", envvar="TESTBEDCTL_YES", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Remove a run for good. A running one is refused, and so is anything that is not a run."""
    from testbedctl.records.catalogue import find_run, remove_run

    found = find_run(run).run
    if not yes and not _agreed(found, as_json=as_json):
        err().print("nothing was removed")
        return
    remove_run(found)
    if as_json:
        emit_json({"removed": str(found.path)})
    else:
        err().print(f"removed {found.path}", markup=False, soft_wrap=True)


def _agreed(run: RunReader, *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise UsageError(f"removing {run.path} needs a yes", hint="give --yes")
    try:
        return typer.confirm(f"Remove {run.path} ({run.status}) for good?", err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None


def _summary(run: RunReader) -> dict[str, object]:
    return {
        "run": run.name,
        "path": str(run.path),
        "status": run.status,
        "cause": run.cause,
        "lab": run.manifest.lab,
        "profile": run.manifest.profile["name"],
        "arms": run.manifest.arms,
        "trials": len(run.trials),
        "planned": len(run.manifest.order),
        "created": run.manifest.created,
        "finished": run.manifest.finished,
    }
