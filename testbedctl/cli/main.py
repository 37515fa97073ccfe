"""The command line: parse, call, render. Each command group registers its commands here."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated

import typer

from testbedctl import __version__
from testbedctl.cli import describe, lab, report, runs, stress, system
from testbedctl.cli.output import json_asked, set_json, show_error
from testbedctl.errors import Interrupted, TestbedError, UsageError

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
    signal.signal(signal.SIGTERM, _interrupt)  # a CI that cancels a job must find the lab cleaned up
    try:
        code = app(standalone_mode=False)
        if code == Interrupted.exit_code:  # Typer makes this of a KeyboardInterrupt
            show_error(Interrupted("interrupted"))
        sys.exit(code if isinstance(code, int) else 0)
    except typer.TyperException as error:
        _show_usage(error)
        sys.exit(error.exit_code)
    except TestbedError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        _leave_pipe()
    except Exception as error:  # noqa: BLE001 - a fault of ours: exit 5 and not 1, which means "got worse"
        if not json_asked():
            traceback.print_exc()
        show_error(
            TestbedError(f"{type(error).__name__}: {error}", hint="this is a fault in testbedctl: report it")
        )
        sys.exit(TestbedError.exit_code)


def _show_usage(error: typer.TyperException) -> None:
    if "--json" in sys.argv or json_asked():
        set_json(True)
        show_error(UsageError(error.format_message(), hint="see --help"))
        return
    from typer.rich_utils import rich_format_error

    rich_format_error(error)  # type: ignore[arg-type]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leave_pipe() -> None:
    """The reader has gone, as with ``| head``: end quietly, and let the interpreter flush nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)
