"""The command line: parse, call, render. Each command group registers its commands here."""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from testbedctl import __version__
from testbedctl.cli import classify, dataset, describe, forecast, lab, report, runs, stress, system
from testbedctl.cli.output import json_asked, promises_json, set_json, show_error
from testbedctl.errors import Interrupted, TestbedError, UsageError
from testbedctl.host import interruption

PROGRAM = "testbedctl"
READER_GONE = 128 + signal.SIGPIPE
"""Exit code when the reader of a pipe has gone: what a shell shows of any program that ends so."""

HELP_NAMES = ["-h", "--help"]
app = typer.Typer(
    name=PROGRAM,
    help="Reproduce papers on AI load balancing in network slices: up, stress, report.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": HELP_NAMES},
)
for group in (lab, stress, report, runs, describe, dataset, forecast, classify, system):
    group.register(app)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Reproduce papers on AI load balancing in network slices: up, stress, report."""


def command() -> Any:
    """The whole command line; a flag is shown without a type, which would look like a value to give."""
    made = typer.main.get_command(app)
    for each in (made, *_below(made)):
        context = typer.Context(each, help_option_names=HELP_NAMES)
        for parameter in (*each.params, each.get_help_option(context)):
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
    return made


def _below(group: Any) -> list[Any]:
    own = list(getattr(group, "commands", {}).values())
    return own + [deeper for each in own for deeper in _below(each)]


def main() -> None:
    """Entry point. Errors are caught here, once, and become the documented exit codes."""
    interruption.listen()  # a CI that cancels a job must find the lab cleaned up
    try:
        code = command()(prog_name=PROGRAM, standalone_mode=False)
        if code == Interrupted.exit_code:  # Typer makes this of a KeyboardInterrupt
            show_error(Interrupted("interrupted"))
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except SystemExit as end:
        # Typer and Rich make 1 of a broken pipe, and 1 means "got worse"
        if isinstance(end.__context__, BrokenPipeError):
            _end_of_pipe(end.__context__)
        raise
    except BrokenPipeError as error:
        _end_of_pipe(error)
    except typer.TyperException as error:
        _end(partial(_show_usage, error), error.exit_code)
    except TestbedError as error:
        _end(partial(show_error, error), error.exit_code)
    except Exception as error:  # noqa: BLE001 - a fault of ours: exit 5 and not 1, which means "got worse"
        _end(partial(_show_fault, error), TestbedError.exit_code)


def _end(show: Callable[[], None], code: int) -> NoReturn:
    """Show an error and exit with its code, even if nobody reads it any more."""
    try:
        show()
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    sys.exit(code)


def _show_usage(error: typer.TyperException) -> None:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # the help has been printed, and says enough
        return
    set_json(promises_json(sys.argv[1:], os.environ))
    path = context.command_path if context else PROGRAM
    message = error.format_message().replace("Value error, ", "")
    show_error(UsageError(message, hint=f"`{path} --help` shows what it takes"))


def _show_fault(error: Exception) -> None:
    if not json_asked():
        traceback.print_exception(error)
    message = f"{type(error).__name__}: {error}"
    show_error(TestbedError(message, hint="this is a fault in testbedctl: report it"))


def _end_of_pipe(error: BrokenPipeError) -> NoReturn:
    """Our reader has gone, as with ``| head``: end quietly, but not with 0, which says that all is well."""
    if not _reader_gone():  # it was a pipe to somebody else
        _end(partial(_show_fault, error), TestbedError.exit_code)
    _forget_stdout()
    sys.exit(READER_GONE)


def _reader_gone() -> bool:
    """Whether nobody reads our stdout or stderr, or Rich has noticed so and turned stdout to nowhere."""
    ours = select.poll()
    for number in (1, 2):
        ours.register(number, 0)
    broken = any(event & select.POLLERR for _, event in ours.poll(0))
    return broken or os.path.samestat(os.fstat(1), Path(os.devnull).stat())


def _forget_stdout() -> None:
    """Let the interpreter flush what is left to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
