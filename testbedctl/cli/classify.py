"""``classify``: types of VNF from a data set, and the type and place of one VNF."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, err, out
from testbedctl.errors import UsageError

if TYPE_CHECKING:
    from testbedctl.classes.fit import Fit
    from testbedctl.classes.provisioned import Provisioned
    from testbedctl.spec.classes import Classes
    from testbedctl.spec.placement import Placement

PANEL = "Forecasts and classes"


class SliceName(StrEnum):
    """GSMA's slice types, as the paper names them."""

    EMBB = "eMBB"
    URLLC = "URLLC"
    MMTC = "mMTC"


def register(app: typer.Typer) -> None:
    """Add ``classify`` and its commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Sort VNFs into the types T1, T2 and T3.")
    group.command("fit")(fit)
    group.command("assign")(assign)
    app.add_typer(group, name="classify", rich_help_panel=PANEL)


ClassesOption = Annotated[
    Path | None,
    typer.Option(
        "--classes",
        envvar="TESTBEDCTL_ASSIGN_CLASSES",
        metavar="FILE",
        help="A classes file in place of the shipped one.",
        show_default=False,
    ),
]
DatasetArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DATASET", envvar="TESTBEDCTL_DATASET", help="A data set's directory.", show_default=False
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        envvar="TESTBEDCTL_CLASSES_OUTPUT",
        metavar="FILE",
        help="Write a classes file.",
        show_default=False,
    ),
]
PreviousOption = Annotated[
    Path | None,
    typer.Option(
        "--previous",
        envvar="TESTBEDCTL_PREVIOUS_CLASSES",
        metavar="FILE",
        help="Classes fitted before: outliers do not move their limits, and their proportions are kept.",
        show_default=False,
    ),
]
FigureOption = Annotated[
    Path | None,
    typer.Option(
        "--figure",
        envvar="TESTBEDCTL_FIGURE",
        metavar="FILE",
        help="Draw the distortion over k, as .svg or .png.",
        show_default=False,
    ),
]
KOption = Annotated[
    int, typer.Option("--k", envvar="TESTBEDCTL_K", min=2, max=50, help="Clusters of each feature.")
]
MaxKOption = Annotated[
    int, typer.Option("--max-k", envvar="TESTBEDCTL_MAX_K", min=3, max=50, help="Largest k of the curve.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", envvar="TESTBEDCTL_SEED", min=0, max=2**31 - 1, help="Seed of k-means.")
]
KeepOutliersOption = Annotated[
    bool,
    typer.Option("--keep-outliers", envvar="TESTBEDCTL_KEEP_OUTLIERS", help="Cluster outliers, too."),
]


def fit(
    dataset: DatasetArgument,
    output: OutputOption = None,
    previous: PreviousOption = None,
    figure: FigureOption = None,
    k: KOption = 3,
    max_k: MaxKOption = 10,
    seed: SeedOption = 0,
    keep_outliers: KeepOutliersOption = False,
    json: Json = False,
) -> None:
    """Fit the limits of the types to the cores and the memory of a trace's VMs."""
    from testbedctl.classes import fit as fitting
    from testbedctl.classes.summary import summary
    from testbedctl.classes.terminal import shown
    from testbedctl.spec.loader import load_classes

    _check_places(output, figure)
    base = load_classes(previous)
    found = fitting.fit(
        _provisioned(dataset),
        k=k,
        most=max_k,
        seed=seed,
        previous=base if previous else None,
        keep_outliers=keep_outliers,
    )
    _write(found, base, output, figure)
    if json:
        emit_json(summary(found))
    else:
        for part in shown(summary(found)):
            out().print(part, markup=False, soft_wrap=isinstance(part, str))
        for path in (each for each in (output, figure) if each):
            err().print(f"written: {path}", markup=False, soft_wrap=True)


def _finite(value: float | None) -> float | None:
    """A number that can be compared: ``nan`` is neither below nor above any bound."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


VcpusOption = Annotated[
    float | None,
    typer.Option(
        "--vcpus",
        envvar="TESTBEDCTL_VCPUS",
        min=0.001,
        callback=_finite,
        help="Cores.",
        show_default=False,
    ),
]
RamGibOption = Annotated[
    float | None,
    typer.Option(
        "--ram-gib",
        envvar="TESTBEDCTL_RAM_GIB",
        min=0.001,
        callback=_finite,
        help="Memory in GiB.",
        show_default=False,
    ),
]
SliceTypeOption = Annotated[
    SliceName | None,
    typer.Option(
        "--slice", envvar="TESTBEDCTL_SLICE", help="Slice type of what is wished.", show_default=False
    ),
]
BandwidthMbpsOption = Annotated[
    float | None,
    typer.Option(
        "--bandwidth-mbps",
        envvar="TESTBEDCTL_BANDWIDTH_MBPS",
        min=0.001,
        max=1_000_000,
        callback=_finite,
        help="Wished bandwidth in Mb/s.",
        show_default=False,
    ),
]
LatencyMsOption = Annotated[
    float | None,
    typer.Option(
        "--latency-ms",
        envvar="TESTBEDCTL_LATENCY_MS",
        min=0.001,
        max=10_000,
        callback=_finite,
        help="Longest one-way delay in ms.",
        show_default=False,
    ),
]
TestbedOption = Annotated[
    str | None,
    typer.Option(
        "--testbed",
        envvar="TESTBEDCTL_TESTBED",
        metavar="SPEC",
        help="Place it in this testbed, where there is room.",
        show_default=False,
    ),
]


def assign(
    vcpus: VcpusOption = None,
    ram_gib: RamGibOption = None,
    slice_type: SliceTypeOption = None,
    bandwidth_mbps: BandwidthMbpsOption = None,
    latency_ms: LatencyMsOption = None,
    classes: ClassesOption = None,
    testbed: TestbedOption = None,
    json: Json = False,
) -> None:
    """Say of which type a VNF is and where it goes, from its resources or from what it shall perform."""
    from dataclasses import asdict

    from testbedctl.spec.loader import load_classes, load_resolution
    from testbedctl.spec.placement import by_resources, by_wishes
    from testbedctl.spec.testbed import Wishes

    found = load_resolution(testbed) if testbed else None
    known = load_classes(classes) if classes or not found else found.classes
    site = found.testbed if found else None
    resources, wished = (vcpus, ram_gib), (slice_type, bandwidth_mbps, latency_ms)
    if vcpus and ram_gib and not any(wished):
        placed = by_resources(known, vcpus, ram_gib, site)
    elif slice_type and not any(resources):
        wishes = Wishes(slice=slice_type.value, bandwidth_mbps=bandwidth_mbps, latency_ms=latency_ms)
        placed = by_wishes(known, wishes, site)
    else:
        raise UsageError(
            "resources or wishes are needed, and not both",
            hint="--vcpus and --ram-gib; or --slice, with --bandwidth-mbps and --latency-ms",
        )
    if json:
        emit_json(asdict(placed))
    else:
        _show_placement(placed)


def _provisioned(dataset: Path) -> Provisioned:
    from testbedctl.classes.provisioned import read_provisioned
    from testbedctl.forecast.dataset.store import opened_samples

    manifest, samples = opened_samples(dataset)
    with samples:
        return read_provisioned(manifest.name, manifest.sha256, samples)


def _check_places(output: Path | None, figure: Path | None) -> None:
    """Refuse what cannot be written before anything is."""
    from testbedctl.classes.figure import picture_kind
    from testbedctl.classes.writing import check_place

    if figure:
        picture_kind(figure)
    if output:
        check_place(output)


def _write(found: Fit, base: Classes, output: Path | None, figure: Path | None) -> None:
    from testbedctl.classes.figure import write_figure
    from testbedctl.classes.fit import new_classes
    from testbedctl.classes.writing import write_classes

    if output:
        write_classes(new_classes(found, base), output)
    if figure:
        write_figure(found, figure)


def _show_placement(placed: Placement) -> None:
    given = f"{placed.vcpus:g} vCPU, {placed.ram_gib:g} GiB"
    out().print(f"{placed.vnf_class}, {given}, {placed.domain}", markup=False)
    for reason in placed.reasons:
        out().print(f"    {reason}", markup=False, soft_wrap=True)
