"""Commands that train, judge, export and renew forecasting models."""

from __future__ import annotations

import typer

from testbedctl.cli.forecast import evaluate, export, retrain, search, train

PANEL = "Forecasts and classes"


def register(app: typer.Typer) -> None:
    """Add ``forecast`` and its commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Train, judge, export and renew forecasting models.")
    for module in (train, evaluate, search, export, retrain):
        module.register(group)
    app.add_typer(group, name="forecast", rich_help_panel=PANEL)
