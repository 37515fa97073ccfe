"""Commands about the machine: ``doctor`` and ``support-bundle``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbedctl import __version__
from testbedctl.cli.options import Json, Lab
from testbedctl.cli.output import emit_json, err, out
from testbedctl.errors import HostUnfit

if TYPE_CHECKING:
    from rich.table import Table

    from testbedctl.host.fitness import Check

_STYLES = {"ok": "green", "limited": "yellow", "missing": "bold red"}


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    panel = "This machine"
    app.command("doctor", rich_help_panel=panel)(doctor)
    app.command("support-bundle", rich_help_panel=panel)(support_bundle)


def doctor(json_: Json = False) -> None:
    """Say what this machine has, what it lacks, what that means, and the command that fixes it.

    Exit code 0 if a lab can run here, 4 if something that it requires is missing.
    """
    from testbedctl.host import fitness

    checks = fitness.examine()
    if json_:
        emit_json(_document(checks))
    else:
        _render(checks)
    if not fitness.fit(checks):
        raise typer.Exit(HostUnfit.exit_code)


def support_bundle(
    lab: Lab = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            envvar="TESTBEDCTL_BUNDLE",
            metavar="FILE",
            help="Where to write it; testbedctl-support-<UTC>.tar.gz if left out.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Pack doctor's findings, versions, a lab's journal and logs and the newest manifest, without secrets."""
    from datetime import UTC, datetime

    from testbedctl.host import bundle, fitness
    from testbedctl.records.catalogue import runs_dir

    target = output or Path(f"testbedctl-support-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    document = json.dumps(_document(fitness.examine()), indent=2, ensure_ascii=False)
    names = bundle.write(target, {"doctor.json": document}, lab, runs_dir())
    err().print(f"{len(names)} files, secrets and private paths removed; look into it before you send it")
    typer.echo(target)


def _document(checks: list[Check]) -> dict[str, Any]:
    from testbedctl.host import facts, fitness

    return {
        "schema": "testbedctl.doctor/1",
        "version": __version__,
        "fit": fitness.fit(checks),
        "checks": [vars(check) for check in checks],
        "needs_root": [{"what": what, "why": why} for what, why in fitness.NEEDS_ROOT],
        "host": facts.fingerprint(),
    }


def _render(checks: list[Check]) -> None:
    from testbedctl.host import facts, fitness

    console = out()
    console.print(f"testbedctl {__version__} on {facts.operating_system()}, kernel {facts.kernel()}\n")
    console.print(_table(checks))
    for check in checks:
        if check.state != "ok":
            console.print(f"\n[{_STYLES[check.state]}]{check.name}[/] {check.state}: {check.meaning}")
            console.print(f"  fix: {check.fix}", markup=False, soft_wrap=True)
    console.print("\nRoot is needed for")
    console.print(_pairs(fitness.NEEDS_ROOT))
    lacking = [check.name for check in checks if check.state == "missing"]
    verdict = f"not fit for a lab: {', '.join(lacking)} missing" if lacking else "fit for a lab"
    console.print(f"\nThis machine is {verdict}.")


def _table(checks: list[Check]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("state")
    table.add_column("what", overflow="fold")
    table.add_column("found", overflow="fold")
    for check in checks:
        table.add_row(Text(check.state, _STYLES[check.state]), Text(check.name), Text(check.found))
    return table


def _pairs(rows: tuple[tuple[str, str], ...]) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for what, why in rows:
        grid.add_row(f"  {what}", why)
    return grid
