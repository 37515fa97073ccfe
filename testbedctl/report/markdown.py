"""The report as Markdown, for a repository, an issue or a CI summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

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


def text(report: Report, figures: Sequence[tuple[str, str]] = ()) -> str:
    """The report; ``figures`` are captions and the paths by which the text links to the images."""
    lines = [
        *_head(report),
        *(line for arm in report.arms for line in _arm(report, arm)),
        *(line for comparison in report.comparison for line in _comparison(comparison)),
        *_losses(report),
        *_decisions(report),
        *_figures(figures),
        *_foot(report),
    ]
    return "\n".join(lines) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# {_escaped(report.profile)} on {_escaped(report.testbed)}"
    yield ""
    for sentence in headline(report):
        yield from (f"**{_escaped(sentence)}**", "")
    yield (
        f"Run `{report.run}`, {report.status}; service `{report.service}` stressed, "
        f"{trials(report.trials)} per arm, seed {report.seed}."
    )
    if report.warnings:
        yield ""
    for warning in report.warnings:
        yield f"- ⚠ {_escaped(warning)}"


def _arm(report: Report, arm: ArmReport) -> Iterator[str]:
    pair = shown_pair(report)
    yield from ("", f"## Arm {_escaped(arm.name)}, median of {trials(arm.trials)}", "")
    header = ["offered, Mb/s", "sent, Mb/s", "delivered, Mb/s", "delivered, %", "loss, %"]
    for name, _ in pair:
        header += [f"{name}, % of quota", f"{name}, % of slice"]
    yield from _table_head(header, text_columns=0)
    for step in arm.steps:
        cells = [f"{mbps(step.offered_bps):g}", rate(step.sent_bps), rate(step.delivered_bps)]
        cells += [share(step.delivered_ratio), share(step.loss_ratio, 2)]
        for _, key in pair:
            cells += [share(step.vnf_cpu_ratio[key]), share(step.slice_cpu_ratio[key])]
        yield _row(cells)
    names = ", ".join(f"{name} is `{key}` (DPI {report.vnfs[key].dpi or 'off'})" for name, key in pair)
    yield from ("", f"{names}{'; ' if names else ''}{NOT_MEASURED} stands for not measured.")


def _comparison(comparison: Comparison) -> Iterator[str]:
    before, after = _escaped(comparison.before), _escaped(comparison.after)
    yield from ("", f"## Before ({before}) and after ({after})", "")
    yield from _table_head(
        ["quantity", "offered, Mb/s", f"before: {before}", f"after: {after}", "difference", "verdict"],
        text_columns=1,
    )
    for key in quantities(comparison):
        for step in comparison.steps:
            change = step.change(*key)
            if change:
                values = (spread(change.before), spread(change.after), spread(change.difference, signed=True))
                yield _row([quantity_name(change), f"{mbps(step.offered_bps):g}", *values, change.verdict])
    yield from ("", "Median [interval] over the trials.")


def _losses(report: Report) -> Iterator[str]:
    yield from ("", "## Where packets were lost", "", "Packets per trial, median.", "")
    yield from _table_head(["hop", *(_escaped(arm.name) for arm in report.arms)], text_columns=1)
    for hop in HOPS:
        yield _row([hop.replace("_", " "), *(packets(arm.lost[hop]) for arm in report.arms)])


def _decisions(report: Report) -> Iterator[str]:
    found = digest(report)
    yield from ("", "## Decisions", "")
    if found.shown:
        yield from _table_head(["arm", "trial", "at, s", "action", "VNF", "CPU", "took, s"], text_columns=1)
    for line in found.shown:
        yield _row([line.arm, line.trial, line.at, line.action, line.moved, line.why, line.applied])
    if found.shown:
        yield ""
    for total in found.totals:
        yield f"- {_escaped(total)}"


def _figures(figures: Sequence[tuple[str, str]]) -> Iterator[str]:
    if figures:
        yield from ("", "## Figures")
    for caption, path in figures:
        yield from ("", f"![{_escaped(caption)}](<{path}>)", "", f"*{_escaped(caption)}*")


def _foot(report: Report) -> Iterator[str]:
    yield from ("", "## Host", "")
    for line in host_lines(report.host):
        yield f"- {_escaped(line)}"
    yield "- measured with " + ", ".join(f"{name} {version}" for name, version in sorted(report.tool.items()))


def _table_head(cells: Sequence[str], *, text_columns: int) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"
    yield "|" + "|".join(":--" if index < text_columns else "--:" for index in range(len(cells))) + "|"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Text in which nothing starts Markdown or HTML."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
