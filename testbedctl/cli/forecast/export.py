"""``forecast export``: a trained model as one file that the balancer loads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, out
from testbedctl.errors import UsageError

if TYPE_CHECKING:
    from testbedctl.forecast.evaluation.result import Contestant, Judgement
    from testbedctl.forecast.runtime.model_file import Metadata
    from testbedctl.forecast.training.trained import TrainedModel


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
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--evaluation",
            envvar="TESTBEDCTL_EXPORT_EVALUATION",
            metavar="DIR",
            help="What `forecast evaluate MODEL --output` wrote; its errors go into the file.",
            show_default=False,
        ),
    ] = None,
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
    metrics: dict[str, Any] = {"validation_loss": trained.best.validation_loss}
    if evaluation is not None:
        metrics["judged"] = _judged(evaluation, model.resolve().name, trained)
    metadata = write(trained, output, metrics=metrics)
    if json:
        emit_json({"file": str(output), "bytes": output.stat().st_size, **metadata.model_dump(mode="json")})
    else:
        _tell(output, metadata)


def _judged(evaluation: Path, name: str, trained: TrainedModel) -> list[dict[str, Any]]:
    """What an evaluation says of the model, for each data set.

    Raises ``UsageError`` if it has not judged a model of that name, or has judged another one.
    """
    from testbedctl.forecast.evaluation.result import load

    judgements = load(evaluation).judgements
    rows = [(each, row) for each in judgements for row in each.contestants if row.kind == "model"]
    own = [(each, row) for each, row in rows if row.name == name]
    hint = "judge this one: `testbedctl forecast evaluate MODEL --dataset DATASET --output DIR`"
    if not own:
        told = ", ".join(dict.fromkeys(row.name for _, row in rows)) or "none"
        raise UsageError(f"{evaluation} has not judged the model {name}; its models: {told}", hint=hint)
    same = {"config": trained.config.model_dump(mode="json"), "training_s": trained.seconds}
    if any(getattr(row, key) != value for _, row in own for key, value in same.items()):
        raise UsageError(f"the model {name} that {evaluation} has judged is of another training", hint=hint)
    return [_worth(each, row) for each, row in own]


def _worth(judgement: Judgement, row: Contestant) -> dict[str, Any]:
    return {
        "dataset": judgement.dataset,
        "dataset_sha256": judgement.sha256,
        "vms": len(judgement.vms),
        "forecasts": judgement.forecasts,
        "errors": [
            {"ahead": each.ahead, "rmse": each.mean, "to_persistence": each.to_persistence}
            for each in row.errors
        ],
        "quantiles": [{"quantile": each.quantile, "above": each.above_all} for each in row.quantiles],
    }


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
        *(_told(each) for each in metadata.metrics.get("judged", ())),
    ]
    for line in lines:
        out().print(Text(line), soft_wrap=True)
    if metadata.units == "allotment":
        told = f"next: testbedctl stress --arm reactive:forecaster={output}"
        out().print(Text(told, style="dim"), soft_wrap=True)


def _told(judged: dict[str, Any]) -> str:
    """A data set's errors at the first and at the last step ahead, and how often the truth was above."""
    errors = judged["errors"]
    ahead = ", ".join(_error(each) for each in errors[:: max(len(errors) - 1, 1)])
    above = ", ".join(
        f"{each['above']:.1%} above q{each['quantile']:g}"
        for each in judged["quantiles"]
        if each["above"] is not None
    )
    return f"judged on  {judged['dataset']}: RMSE {ahead}{'; ' if above else ''}{above}"


def _error(error: dict[str, Any]) -> str:
    from testbedctl.units import count

    ratio = error["to_persistence"]
    beside = "" if ratio is None else f" ({ratio:.2f} × persistence)"
    return f"{error['rmse']:.4f}{beside} {count(error['ahead'], 'step')} ahead"
