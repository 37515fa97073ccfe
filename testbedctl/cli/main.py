"""The command line: parse, call, render. Each command group registers its commands here."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from testbedctl import __version__
from testbedctl.cli import describe, lab, report, runs, stress, system
from testbedctl.cli.output import emit_json, err, json_asked, show_error
from testbedctl.errors import TestbedError

app = typer.Typer(
    name="testbedctl",
    help="Reproduce papers on AI load balancing in network slices: up, stress, report.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (lab, stress, report, runs, describe, system):
    group.register(app)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"testbedctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Reproduce papers on AI load balancing in network slices: up, stress, report."""


def main() -> None:
    """Entry point. Errors are caught here, once, and become the documented exit codes."""
    try:
        app()
    except TestbedError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        if json_asked():
            emit_json({"error": {"code": "interrupted", "exit": 130, "message": "interrupted",
                                 "places": [], "hint": None}})
        else:
            err().print("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
