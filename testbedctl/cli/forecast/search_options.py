"""The options of ``forecast search``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EngineName(StrEnum):
    """Where the workers of a search run."""

    LOCAL = "local"
    RAY = "ray"


Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        envvar="TESTBEDCTL_SEARCH_OUTPUT",
        metavar="FILE",
        help="Where the best configuration goes, as `forecast train --config` takes it.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="TESTBEDCTL_SEARCH_MODEL",
        help="A model whose space ships with testbedctl; lstm if left out.",
        show_default=False,
    ),
]
Space = Annotated[
    Path | None,
    typer.Option(
        "--space",
        envvar="TESTBEDCTL_SEARCH_SPACE",
        metavar="FILE",
        help="A space of your own in YAML, in place of the model's.",
        show_default=False,
    ),
]
Vms = Annotated[
    str | None,
    typer.Option(
        "--vms",
        envvar="TESTBEDCTL_SEARCH_VMS",
        metavar="N|LIST",
        help="So many VMs, always the same, or names with commas between; all if left out.",
        show_default=False,
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        "--trials",
        envvar="TESTBEDCTL_SEARCH_TRIALS",
        min=1,
        help="Trials in all, those of earlier runs included; 30 if there is no --minutes either.",
        show_default=False,
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes",
        envvar="TESTBEDCTL_SEARCH_MINUTES",
        min=0.01,
        help="End after so many minutes; the trial that runs then is cut off, and tried again later.",
        show_default=False,
    ),
]
Storage = Annotated[
    Path | None,
    typer.Option(
        "--storage",
        envvar="TESTBEDCTL_SEARCH_STORAGE",
        metavar="FILE",
        help="Record of the search, which machines can share; beside the output if left out.",
        show_default=False,
    ),
]
Engine = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        envvar="TESTBEDCTL_SEARCH_ENGINE",
        help="Processes of this machine, or tasks of Ray.",
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", envvar="TESTBEDCTL_SEARCH_WORKERS", min=1, help="Trials that run at the same time."
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", envvar="TESTBEDCTL_SEARCH_SEED", min=0, help="Decides what is tried, with one worker."
    ),
]
