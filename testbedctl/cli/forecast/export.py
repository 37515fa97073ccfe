"""``forecast export``: a trained model as one file that the balancer loads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, out
from testbedctl.errors import UsageError

if TYPE_CHECKING:
    from testbedctl.forecast.runtime.model_file import Metadata


def register(group: typer.Typer) -> None:
    """Add this module's commands to ``forecast``."""
    group.command("export")(export)


def export(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A directory that `forecast train` made.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            envvar="TESTBEDCTL_EXPORT_OUTPUT",
            metavar="FILE.onnx",
            help="The model file to write.",
            show_default=False,
        ),
    ],
    json: Json = False,
) -> None:
    """Write a trained model as one ONNX file, with its scaler, its origin and its metrics inside."""
    from testbedctl.forecast.runtime.export import export as write
    from testbedctl.forecast.training.trained import TrainedModel

    if output.suffix != ".onnx" or output.is_dir():
        raise UsageError(f"a model file is called NAME.onnx, not {output}", hint="give --output FILE.onnx")
    if not output.parent.is_dir():
        raise UsageError(f"there is no directory {output.parent}", hint="make it, or name another place")
    trained = TrainedModel.load(model)
    metrics = {"validation_loss": trained.best.validation_loss}
    metadata = write(trained, output, metrics=metrics)
    if json:
        emit_json({"file": str(output), "bytes": output.stat().st_size, **metadata.model_dump(mode="json")})
    else:
        _tell(output, metadata)


def _tell(output: Path, metadata: Metadata) -> None:
    from rich.text import Text

    from testbedctl.units import count, human_bytes

    quantiles = ", ".join(f"{each:g}" for each in metadata.quantiles) or "none"
    past, ahead = count(metadata.window, "step"), count(metadata.horizon, "step")
    lines = [
        f"{output}  {human_bytes(output.stat().st_size)}, the same forecasts as torch",
        f"model      {metadata.model}, {metadata.parameters} parameters, scaling {metadata.scaling}",
        f"forecasts  {past} of {metadata.step_s:g} s → {ahead} ahead, quantiles {quantiles}, "
        f"units {metadata.units}",
        f"data set   {metadata.dataset} ({metadata.dataset_sha256[:12]})",
    ]
    for line in lines:
        out().print(Text(line), soft_wrap=True)
    if metadata.units == "allotment":
        told = f"next: testbedctl stress --arm reactive:forecaster={output}"
        out().print(Text(told, style="dim"), soft_wrap=True)
