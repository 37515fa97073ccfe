"""The report on a terminal: verdict first, then the numbers, then what qualifies them."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbedctl.records.tables import HOPS
from testbedctl.report.digest import digest
from testbedctl.report.wording import (
    NOT_MEASURED,
    headline,
    host_lines,
    packets,
    quantities,
    quantity_name,
    rate,
    share,
    shown_pair,
    spread,
    trials,
)
from testbedctl.units import mbps

if TYPE_CHECKING:
    from testbedctl.analysis.comparison import Comparison
    from testbedctl.report.document import ArmReport, Report

COLUMNS = 80

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
            _arm(report, arm, console)
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
    console.print(Text(f"run {report.run}, {report.status}"))
    console.print(
        Text(
            f"profile {report.profile} against {report.service} of testbed {report.testbed}; "
            f"{trials(report.trials)} per arm, seed {report.seed}"
        )
    )
    for warning in report.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))


def _arm(report: Report, arm: ArmReport, console: Console) -> None:
    pair = shown_pair(report)
    table = _table()
    for name in ("offered\nMb/s", "sent\nMb/s", "delivered\nMb/s", "delivered\n%", "loss\n%"):
        table.add_column(name, justify="right")
    for name, _ in pair:
        table.add_column(f"{name.removeprefix('vDPI-')}\n% quota", justify="right")
        table.add_column(f"{name.removeprefix('vDPI-')}\n% slice", justify="right")
    for step in arm.steps:
        cells = [f"{mbps(step.offered_bps):g}", rate(step.sent_bps), rate(step.delivered_bps)]
        cells += [share(step.delivered_ratio), share(step.loss_ratio, 2)]
        for _, key in pair:
            cells += [share(step.vnf_cpu_ratio[key]), share(step.slice_cpu_ratio[key])]
        table.add_row(*cells)
    _show(console, f"Arm {arm.name}, median of {trials(arm.trials)}", table)


def _vnf_legend(report: Report, console: Console) -> None:
    pair = shown_pair(report)
    parts = [f"{name} is {key} (DPI {report.vnfs[key].dpi or 'off'})" for name, key in pair]
    rest = len(report.exhausted) + len(report.shared) - len(pair)
    if rest:
        parts.append(f"{rest} more vDPIs are in the JSON report")
    console.print()
    for part in [*parts, f"{NOT_MEASURED} stands for not measured; CPU is the mean of a step"]:
        console.print(Text(part))


def _comparison(comparison: Comparison, console: Console) -> None:
    for key in quantities(comparison):
        changes = [(step, change) for step in comparison.steps if (change := step.change(*key))]
        name = quantity_name(changes[0][1])
        if all(change.verdict == "no difference" for _, change in changes):
            console.print(Text(f"\n{name}: no difference in any step", style="bold"))
            continue
        table = _table()
        table.add_column("Mb/s", justify="right")
        for column in (f"before: {comparison.before}", f"after: {comparison.after}", "difference"):
            table.add_column(column, justify="right")
        table.add_column("verdict")
        for step, change in changes:
            cells = [spread(change.before), spread(change.after), spread(change.difference, signed=True)]
            verdict = Text(change.verdict, style=VERDICT_STYLE.get(change.verdict, ""))
            table.add_row(f"{mbps(step.offered_bps):g}", *(c.replace(", ", ",") for c in cells), verdict)
        _show(console, f"{name}; median [interval]", table)


def _losses(report: Report, console: Console) -> None:
    table = _table()
    table.add_column("hop")
    for arm in report.arms:
        table.add_column(arm.name, justify="right")
    for hop in HOPS:
        table.add_row(hop.replace("_", " "), *(packets(arm.lost[hop]) for arm in report.arms))
    _show(console, "Where packets were lost, packets per trial, median", table)


def _decisions(report: Report, console: Console) -> None:
    found = digest(report)
    if found.shown:
        table = _table()
        for name in ("arm", "trial", "at s", "action", "VNF", "CPU", "took s"):
            right = name in ("trial", "at s", "took s")
            table.add_column(name, justify="right" if right else "left")
        for line in found.shown:
            table.add_row(line.arm, line.trial, line.at, line.action, line.moved, line.why, line.applied)
        _show(console, "First move of each trial", table)
    console.print()
    for total in found.totals:
        console.print(Text(total))


def _foot(report: Report, console: Console) -> None:
    console.print()
    for line in host_lines(report.host):
        console.print(Text(f"host: {line}"))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report.tool.items()))
    console.print(Text(f"measured with {versions}"))


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)


def _show(console: Console, title: str, table: Table) -> None:
    """A narrower terminal breaks the lines of a table, as a number with digits cut off would mislead."""
    console.print(Text(f"\n{title}", style="bold"))
    width = console.width
    console.width = max(width, COLUMNS)
    console.print(table)
    console.width = width
