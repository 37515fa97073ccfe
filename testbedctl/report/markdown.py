"""The report as Markdown, for a repository, an issue or a CI summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

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
from testbedctl.report.wording import NOT_MEASURED, host_lines, quantities, shown_pair
from testbedctl.units import count

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
        f"{count(report.trials, 'trial')} per arm, seed {report.seed}."
    )
    if report.warnings:
        yield ""
    for warning in report.warnings:
        yield f"- ⚠ {_escaped(warning)}"


def _arm(report: Report, arm: ArmReport) -> Iterator[str]:
    sheet = arm_sheet(report, arm)
    yield from ("", f"## {_escaped(sheet.title)}", "", *_table(sheet))
    names = ", ".join(
        f"{name} is `{key}` (DPI {report.vnfs[key].dpi or 'off'})" for name, key in shown_pair(report)
    )
    yield from ("", f"{names}{'; ' if names else ''}{NOT_MEASURED} stands for not measured.")


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield from ("", f"## Before ({_escaped(comparison.before)}) and after ({_escaped(comparison.after)})")
    for key in quantities(comparison):
        sheet = change_sheet(comparison, changes_of(comparison, *key))
        yield from ("", f"### {_escaped(sheet.title)}", "", *_table(sheet))


def _losses(report: Report) -> Iterator[str]:
    sheet = loss_sheet(report)
    yield from ("", f"## {_escaped(sheet.title)}", "", *_table(sheet))


def _decisions(report: Report) -> Iterator[str]:
    found = digest(report)
    yield from ("", "## Decisions", "")
    if found.shown:
        sheet = move_sheet(found)
        yield from (f"{sheet.title}:", "", *_table(sheet), "")
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


def _table(sheet: Sheet) -> Iterator[str]:
    yield _row([_name(column) for column in sheet.columns])
    yield "|" + "|".join(":--" if column.is_text else "--:" for column in sheet.columns) + "|"
    for cells in sheet.rows:
        yield _row(cells)


def _name(column: Column) -> str:
    return f"{column.name}, {column.unit}" if column.unit else column.name


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Text in which nothing starts Markdown or HTML."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
