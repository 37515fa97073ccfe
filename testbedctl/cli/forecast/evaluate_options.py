"""The options of ``forecast evaluate``, ``forecast windows`` and ``forecast claims``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Models = Annotated[
    list[Path],
    typer.Argument(
        metavar="MODEL", help="Directories of trained models, or .onnx files.", show_default=False
    ),
]
Dataset = Annotated[
    Path,
    typer.Option(
        "--dataset",
        envvar="TESTBEDCTL_DATASET",
        metavar="DATASET",
        help="The data set to judge on: the last 20 % of each of its VMs.",
        show_default=False,
    ),
]
Foreign = Annotated[
    list[Path] | None,
    typer.Option(
        "--foreign",
        envvar="TESTBEDCTL_EVALUATE_FOREIGN",
        metavar="DATASET",
        help="A data set from elsewhere, judged beside; repeat for more.",
        show_default=False,
    ),
]
Vms = Annotated[
    str | None,
    typer.Option(
        "--vms",
        envvar="TESTBEDCTL_EVALUATE_VMS",
        metavar="N|LIST",
        help="So many VMs, always the same, or names with commas between; all if left out.",
        show_default=False,
    ),
]
ExcludeTrained = Annotated[
    bool,
    typer.Option(
        "--exclude-trained",
        envvar="TESTBEDCTL_EVALUATE_EXCLUDE_TRAINED",
        help="Leave out VMs that a model was trained on.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        envvar="TESTBEDCTL_EVALUATE_OUTPUT",
        metavar="DIR",
        help="Write evaluation.json, tables as Markdown and CSV, and figures to DIR.",
        show_default=False,
    ),
]
DrawnVms = Annotated[
    list[str] | None,
    typer.Option(
        "--vm",
        envvar="TESTBEDCTL_EVALUATE_VM",
        metavar="NAME",
        help="A VM to draw, repeat for more; the one with the middle error if left out.",
        show_default=False,
    ),
]
WindowsOutput = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        envvar="TESTBEDCTL_WINDOWS_OUTPUT",
        metavar="DIR",
        help="Where models, tables and figures go.",
        show_default=False,
    ),
]
WindowsConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="TESTBEDCTL_WINDOWS_CONFIG",
        metavar="FILE",
        help="A training configuration in YAML, whose window is replaced.",
        show_default=False,
    ),
]
Evaluations = Annotated[
    list[Path],
    typer.Argument(
        metavar="DIR",
        help="What `forecast evaluate --output` and `forecast windows --output` wrote.",
        show_default=False,
    ),
]
Classes = Annotated[
    Path | None,
    typer.Option(
        "--classes",
        envvar="TESTBEDCTL_CLAIMS_CLASSES",
        metavar="FILE",
        help="What `classify fit --json` printed, for the claim on the classes.",
        show_default=False,
    ),
]
