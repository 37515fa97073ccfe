"""``forecast claims``: the paper's numbers beside ours."""

from __future__ import annotations

import typer

from testbedctl.cli.forecast.evaluate_options import Classes, Evaluations
from testbedctl.cli.options import Json
from testbedctl.cli.output import emit_json, out


def register(group: typer.Typer) -> None:
    """Add this module's commands to ``forecast``."""
    group.command()(claims)


def claims(evaluations: Evaluations, classes: Classes = None, json: Json = False) -> None:
    """Put the predictive-slicing paper's claims on forecasts and classes beside what was measured."""
    from testbedctl.forecast.evaluation.claims import load_fit, verdicts
    from testbedctl.forecast.evaluation.result import load
    from testbedctl.forecast.evaluation.terminal import render_verdicts
    from testbedctl.spec.claims import load_claims

    fit = load_fit(classes) if classes else None
    told = verdicts(load_claims(), [load(path) for path in evaluations], fit)
    if json:
        emit_json({"claims": [each.document() for each in told]})
    else:
        render_verdicts(told, out())
