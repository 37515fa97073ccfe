"""Options that several commands share, each also an environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from testbedctl.cli.output import set_json

Lab = Annotated[
    str | None,
    typer.Option("--lab", envvar="TESTBEDCTL_LAB", help="Name of the lab.", show_default=False),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        envvar="TESTBEDCTL_JSON",
        help="Print exactly one JSON document.",
        callback=set_json,
        is_eager=True,
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        envvar="TESTBEDCTL_WAIT",
        metavar="S",
        min=0,
        help="Wait up to S seconds for a busy lock.",
    ),
]
Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        envvar="TESTBEDCTL_SPEC",
        help="A testbed file, or the name of one that ships with testbedctl.",
        show_default=True,
    ),
]
RunArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN",
        envvar="TESTBEDCTL_RUN",
        help="A run's directory or name; the newest complete one if left out.",
        show_default=False,
    ),
]
