"""The evaluation on a terminal: made for 80 columns; a wide one gets each table whole."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from testbedctl.forecast.evaluation.table import (
    LEGEND,
    Sheet,
    cost_sheet,
    error_sheet,
    head,
    horizons,
    whole_sheet,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from testbedctl.forecast.evaluation.claims import Verdict
    from testbedctl.forecast.evaluation.result import Evaluation

WIDE = 130
COLUMNS = 80
_STYLES = {
    "reproduced": "bold green",
    "same direction": "green",
    "not reproduced": "bold red",
    "not measured": "yellow",
}


def render(evaluation: Evaluation, console: Console) -> None:
    """Print every data set with its tables."""
    for number, judgement in enumerate(evaluation.judgements):
        if number:
            console.print()
        for sentence in head(judgement):
            console.print(Text(sentence))
        for ahead in horizons(judgement):
            sheet = whole_sheet if console.width >= WIDE else error_sheet
            show(sheet(judgement, ahead), console)
        if console.width < WIDE:
            show(cost_sheet(judgement), console)
        console.print(Text(LEGEND, style="dim"))


def render_verdicts(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the paper's value beside ours, and what each was measured on."""
    rows = []
    for told in verdicts:
        values = ("–" if value is None else f"{value:.4g}" for value in (told.claim.value, told.measured))
        rows.append((told.claim.id, told.claim.quantity, *values, told.word))
    show(Sheet("The paper's claims", ("claim", "quantity", "paper", "ours", "verdict"), tuple(rows)), console)
    for (claim, remark), same in groupby(verdicts, lambda told: (told.claim.id, told.remark)):
        quantities = [told.claim.quantity for told in same]
        console.print(Text(f"{claim}{f' {quantities[0]}' * (len(quantities) == 1)}: {remark}"))


def show(sheet: Sheet, console: Console) -> None:
    """Print a table; a narrower terminal breaks its lines, as a number with digits cut off would mislead."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for number, name in enumerate(sheet.columns):
        text = number == 0 or name in ("quantity", "verdict")
        table.add_column(name, justify="left" if text else "right", overflow="fold", no_wrap=bool(number))
    for row in sheet.rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    console.print(Text(f"\n{sheet.title}", style="bold"))
    width = console.width
    console.width = max(width, COLUMNS)
    console.print(table)
    console.width = width
