"""The options of ``forecast train``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ScalingName(StrEnum):
    """How values are brought to [0, 1]."""

    PER_VM = "per-vm"
    GLOBAL = "global"
    NONE = "none"


DatasetArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DATASET", envvar="TESTBEDCTL_DATASET", help="A data set's directory.", show_default=False
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        envvar="TESTBEDCTL_TRAIN_OUTPUT",
        metavar="DIR",
        help="Where the model goes; a training that was interrupted there goes on.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="TESTBEDCTL_TRAIN_MODEL",
        help="lstm, transformer or another model; lstm if left out.",
        show_default=False,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        envvar="TESTBEDCTL_TRAIN_CONFIG",
        metavar="NAME|FILE",
        help="A configuration that ships (change, testbed) or one in YAML; the other options win over it.",
        show_default=False,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        envvar="TESTBEDCTL_TRAIN_WINDOW",
        min=1,
        help="Past steps; 3 if left out.",
        show_default=False,
    ),
]
Horizon = Annotated[
    int | None,
    typer.Option(
        "--horizon",
        envvar="TESTBEDCTL_TRAIN_HORIZON",
        min=1,
        help="Steps ahead; 1 if left out.",
        show_default=False,
    ),
]
Scaling = Annotated[
    ScalingName | None,
    typer.Option(
        "--scaling",
        envvar="TESTBEDCTL_TRAIN_SCALING",
        help="To [0, 1] by the training part of each VM, or of all; per-vm if left out.",
        show_default=False,
    ),
]
Quantile = Annotated[
    list[float] | None,
    typer.Option(
        "--quantile",
        envvar="TESTBEDCTL_TRAIN_QUANTILES",
        metavar="Q",
        help="A quantile to forecast beside the mean, ascending; repeat for more.",
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        envvar="TESTBEDCTL_TRAIN_EPOCHS",
        min=1,
        help="At most; 100 if left out.",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        envvar="TESTBEDCTL_TRAIN_SEED",
        min=0,
        help="Seed of weights, order and choice of VMs; 0 if left out.",
        show_default=False,
    ),
]
Vms = Annotated[
    str | None,
    typer.Option(
        "--vms",
        envvar="TESTBEDCTL_TRAIN_VMS",
        metavar="N|LIST",
        help="So many VMs, drawn by the seed, or these, with commas between; all if left out.",
        show_default=False,
    ),
]
MaxMinutes = Annotated[
    float | None,
    typer.Option(
        "--max-minutes",
        envvar="TESTBEDCTL_TRAIN_MAX_MINUTES",
        metavar="M",
        min=0,
        help="End after the epoch in which M minutes have passed.",
        show_default=False,
    ),
]
WarmStart = Annotated[
    Path | None,
    typer.Option(
        "--warm-start",
        envvar="TESTBEDCTL_TRAIN_WARM_START",
        metavar="DIR",
        help="Begin with the weights of a trained model.",
        show_default=False,
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        envvar="TESTBEDCTL_TRAIN_THREADS",
        min=1,
        help="Threads to compute with; more than one seldom helps models of this size.",
    ),
]
