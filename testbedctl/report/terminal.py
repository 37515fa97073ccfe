"""The report on a terminal: verdict first, then the numbers, then what qualifies them."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbedctl.report.digest import digest
from testbedctl.report.headline import headline
from testbedctl.report.sheets import (
    Column,
    Sheet,
    arm_sheet,
    change_sheet,
    changes_of,
    loss_sheet,
    move_sheet,
)
from testbedctl.report.wording import NOT_MEASURED, host_lines, shown_pair
from testbedctl.units import count

if TYPE_CHECKING:
    from testbedctl.analysis.comparison import Change, Comparison
    from testbedctl.report.document import Report

COLUMNS = 80

HOST_LINES = 2

VERDICT_STYLE = {
    "better": "bold green",
    "worse": "bold red",
    "inconclusive": "yellow",
    "not measured": "yellow",
}


def render(report: Report, console: Console) -> None:
    """Print the report; it is made for 80 columns and needs no colour."""
    with console.capture() as capture:
        _head(report, console)
        for arm in report.arms:
            _show(arm_sheet(report, arm), console)
        _vnf_legend(report, console)
        for comparison in report.comparison:
            _comparison(comparison, console)
        _losses(report, console)
        _decisions(report, console)
        _foot(report, console)
    console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def text(report: Report) -> str:
    """The report as plain text of 80 columns, for a file."""
    stream = StringIO()
    render(report, Console(file=stream, width=COLUMNS, color_system=None, highlight=False))
    return stream.getvalue()


def _head(report: Report, console: Console) -> None:
    for sentence in headline(report):
        console.print(Text(sentence, style="bold"))
    console.print()
    asked = f"{count(report.trials, 'trial')} per arm, seed {report.seed}"
    console.print(Text(f"run {report.run}, {report.status}; {asked}"))
    console.print(Text(f"profile {report.profile} against {report.service} of testbed {report.testbed}"))
    for warning in report.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))


def _vnf_legend(report: Report, console: Console) -> None:
    pair = shown_pair(report)
    parts = [
        ", ".join(
            f"{name.removeprefix('vDPI-')} is {key} (DPI {report.vnfs[key].dpi or 'off'})"
            for name, key in pair
        ),
        f"{NOT_MEASURED} stands for not measured; CPU is the mean of a step",
    ]
    rest = len(report.exhausted) + len(report.shared) - len(pair)
    if rest:
        parts.append(f"{rest} more vDPIs are in the JSON report")
    console.print()
    for part in filter(None, parts):
        console.print(Text(part))


def _comparison(comparison: Comparison, console: Console) -> None:
    """What arrived and what others lost; the other quantities are in the tables above and in Markdown."""
    _delivered(comparison, console)
    others = changes_of(comparison, "others_loss_ratio", None)
    if any(_lost(change) for _, change in others):
        _changes(change_sheet(comparison, others), console)
    elif others:
        console.print(Text("The other services lost nothing, before and after."))


def _delivered(comparison: Comparison, console: Console) -> None:
    """A row per step, and a second one for a step in which a move makes a difference."""
    whole = changes_of(comparison, "delivered_ratio", None)
    settled = {step.step: change for step, change in changes_of(comparison, "settled_delivered_ratio", None)}
    sheet, rows = change_sheet(comparison, whole), []
    for (step, _), row in zip(whole, sheet.rows, strict=True):
        rows.append(row)
        if after_move := settled.get(step.step):
            ((rate, *cells),) = change_sheet(comparison, [(step, after_move)]).rows
            rows += [[f"{rate}*", *cells]] if cells != row[1:] else []
    _changes(Sheet(sheet.title, sheet.columns, rows), console)
    if len(rows) > len(whole):
        console.print(Text("* after the step's last move"))


def _lost(change: Change) -> bool:
    """Whether other services lost something in some trial, or it is not known."""
    return any(value is None or value.high > 0 for value in (change.before, change.after))


def _changes(sheet: Sheet, console: Console) -> None:
    if {row[-1] for row in sheet.rows} == {"no difference"}:
        title = sheet.title.partition(";")[0]
        console.print(Text(f"\n{title}: no difference in any step", style="bold"))
    else:
        _show(sheet, console)


def _losses(report: Report, console: Console) -> None:
    """The hops at which an arm lost something, or at which it is not known."""
    sheet = loss_sheet(report)
    rows = [row for row in sheet.rows if any(cell != "0" for cell in row[1:])]
    if not rows:
        console.print(Text("\nNo packet was lost at any hop", style="bold"))
    elif all(cell == NOT_MEASURED for row in sheet.rows for cell in row[1:]):
        console.print(Text("\nWhere packets were lost was not measured", style="bold"))
    else:
        title = sheet.title if len(rows) == len(sheet.rows) else f"{sheet.title}; at other hops 0"
        _show(Sheet(title, sheet.columns, rows), console)


def _decisions(report: Report, console: Console) -> None:
    found = digest(report)
    if found.shown:
        _show(move_sheet(found), console)
    else:
        console.print()
    console.print(Text("; ".join(found.totals)))


def _foot(report: Report, console: Console) -> None:
    """Machine and programs; the settings are in Markdown and JSON."""
    console.print()
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report.tool.items()))
    machine, *rest = host_lines(report.host)[:HOST_LINES] or ["unknown"]
    for line in (f"{machine}; {versions}", *rest):
        console.print(Text(f"host: {line}"))


def _show(sheet: Sheet, console: Console) -> None:
    """A narrower terminal breaks the lines of a table, as a number with digits cut off would mislead."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for column in sheet.columns:
        table.add_column(_name(column), justify="left" if column.is_text else "right")
    for row in sheet.rows:
        table.add_row(*(_cell(text) for text in row))
    console.print(Text(f"\n{sheet.title}", style="bold"))
    width = console.width
    console.width = max(width, COLUMNS)
    console.print(table)
    console.width = width


def _name(column: Column) -> str:
    unit = column.unit.replace("% of ", "% ")
    return f"{column.name.removeprefix('vDPI-')}\n{unit}" if unit else column.name


def _cell(text: str) -> Text:
    """A cell without spaces inside its interval, and a verdict in its colour."""
    return Text(text.replace(", ", ",") if "[" in text else text, style=VERDICT_STYLE.get(text, ""))
