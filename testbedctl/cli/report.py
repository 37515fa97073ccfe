"""``report``: what a run measured, in the format asked for."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbedctl.cli.options import Json, RunArgument
from testbedctl.cli.output import emit_json, err, out, set_json
from testbedctl.errors import Inconclusive, Regression, RunFailed

if TYPE_CHECKING:
    from testbedctl.records.reader import RunReader
    from testbedctl.report.document import Report


class Format(StrEnum):
    """What a report can be printed as."""

    TERMINAL = "terminal"
    MARKDOWN = "md"
    JSON = "json"
    CSV = "csv"


class FailOn(StrEnum):
    """What makes ``report`` fail."""

    WORSE = "worse"


def _format_asked(asked: Format) -> Format:
    set_json(asked is Format.JSON)
    return asked


FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        envvar="TESTBEDCTL_FORMAT",
        help="How to print it.",
        callback=_format_asked,
        is_eager=True,
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        envvar="TESTBEDCTL_REPORT",
        metavar="FILE",
        help="Write the report here instead of stdout.",
        show_default=False,
    ),
]
FiguresOption = Annotated[
    Path | None,
    typer.Option(
        "--figures",
        envvar="TESTBEDCTL_FIGURES",
        metavar="DIR",
        help="Write the figures here; with --format md they go into the run's directory if left out.",
        show_default=False,
    ),
]
FailOnOption = Annotated[
    FailOn | None,
    typer.Option(
        "--fail-on",
        envvar="TESTBEDCTL_FAIL_ON",
        help="Exit 1 if an arm is worse than 'none' in any step, 3 if that cannot be decided.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command("report", rich_help_panel="Measuring")(report)


def report(
    run: RunArgument = None,
    format_: FormatOption = Format.TERMINAL,
    output: OutputOption = None,
    figures: FiguresOption = None,
    fail_on: FailOnOption = None,
    as_json: Json = False,
) -> None:
    """Show what a run measured: before and after, with medians and intervals."""
    from testbedctl.records.catalogue import find_run
    from testbedctl.report.document import report_of

    found = find_run(run)
    for name in found.passed_over:
        err().print(f"warning: newer run {name} is passed over", style="yellow", markup=False, soft_wrap=True)
    document = report_of(found.run)
    chosen = Format.JSON if as_json else format_
    if figures is None and chosen is Format.MARKDOWN:
        figures = found.run.path / "figures"
    links = _figures(found.run, document, figures, output) if figures else []
    _print(document, chosen, output, links)
    if fail_on is FailOn.WORSE:
        _judge(document)


def _figures(run: RunReader, document: Report, directory: Path, output: Path | None) -> list[tuple[str, str]]:
    """Write the figures; returns captions and links, relative to ``output`` or to the run's directory."""
    from testbedctl.analysis.timeline import timelines
    from testbedctl.render.drawing import write
    from testbedctl.report.figures import figures_of

    drawn = figures_of(document, timelines(run))
    written = write(drawn, directory, option="--figures")
    err().print(f"{len(written)} images in {directory}", markup=False, soft_wrap=True)
    base = output.parent if output else run.path
    relative = Path(os.path.relpath(directory, base)).as_posix()
    return [(figure.caption, f"{relative}/{figure.name}.png") for figure in drawn]


def _print(document: Report, chosen: Format, output: Path | None, links: list[tuple[str, str]]) -> None:
    if output is None and chosen is Format.TERMINAL:
        from testbedctl.report.terminal import render

        render(document, out())
    elif output is None and chosen is Format.JSON:
        from testbedctl.report.document import as_json

        emit_json(as_json(document))
    elif output is None:
        typer.echo(_text(document, chosen, links), nl=False)
    else:
        _write(output, _text(document, chosen, links))


def _text(document: Report, chosen: Format, links: list[tuple[str, str]]) -> str:
    from testbedctl.report import csv, markdown, terminal
    from testbedctl.report import document as model

    if chosen is Format.MARKDOWN:
        return markdown.text(document, links)
    if chosen is Format.CSV:
        return csv.text(document)
    if chosen is Format.JSON:
        return model.json_text(document)
    return terminal.text(document)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunFailed(f"cannot write {path}: {error.strerror or error}") from error
    err().print(f"report in {path}", markup=False, soft_wrap=True)


def _judge(document: Report) -> None:
    """The report is out; the verdict goes to stderr and into the exit code, so that stdout stays whole."""
    from testbedctl.report.wording import judgement

    worse, unknown = judgement(document)
    if worse:
        _end("worse", worse, Regression.exit_code)
    if document.status != "complete":
        unknown.insert(0, f"the run is {document.status}")
    if not document.comparison:
        unknown.append("there is no arm 'none' and another one to compare")
    if unknown:
        _end("not decided", unknown, Inconclusive.exit_code)


def _end(word: str, sentences: list[str], code: int) -> None:
    for sentence in sentences:
        err().print(f"{word}: {sentence}", markup=False, soft_wrap=True)
    raise typer.Exit(code)
