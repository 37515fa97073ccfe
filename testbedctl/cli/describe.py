"""Commands that describe a lab without touching it: validate, graph, init, schema."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbedctl.cli.options import Json, Spec
from testbedctl.cli.output import emit_json, out
from testbedctl.errors import InvalidFile, Place, UsageError

if TYPE_CHECKING:
    from testbedctl.spec.classes import Classes
    from testbedctl.spec.profile import Profile
    from testbedctl.spec.resolution import Resolution


class GraphFormat(StrEnum):
    """What ``graph`` can draw."""

    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"


class SchemaKind(StrEnum):
    """The kinds of file that have a JSON Schema."""

    TESTBED = "testbed"
    PROFILE = "profile"
    CLASSES = "classes"


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    for command in (validate, graph, init, schema):
        app.command(rich_help_panel="Specifications")(command)


def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Testbeds, stress profiles and classes files; names of those that ship with testbedctl.",
            show_default=False,
        ),
    ],
    json: Json = False,
) -> None:
    """Check testbeds, stress profiles and classes files; every error has its line and column."""
    results = [_checked(file) for file in files]
    if json:
        emit_json({"ok": all(r["ok"] for r in results), "files": results})
        if not all(r["ok"] for r in results):
            raise typer.Exit(InvalidFile.exit_code)
        return
    for result in results:
        if result["ok"]:
            out().print(
                f"ok  {result['file']}  {result['kind']} {result['name']}", markup=False, soft_wrap=True
            )
            _show_resolved(result)
    wrong = [result for result in results if not result["ok"]]
    if wrong:
        raise InvalidFile(
            wrong[0]["message"]
            if len(results) == 1
            else f"{len(wrong)} of {len(results)} files cannot be used",
            places=[Place(**place) for result in wrong for place in result["places"]],
            hint=wrong[0]["hint"]
            if len(wrong) == 1
            else "`testbedctl schema testbed|profile|classes` prints what is allowed",
        )


def graph(
    spec: Spec = "slice-sharing",
    graph_format: Annotated[
        GraphFormat,
        typer.Option(
            "--format", envvar="TESTBEDCTL_GRAPH_FORMAT", help="Text for Mermaid or Graphviz, or a picture."
        ),
    ] = GraphFormat.MERMAID,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            envvar="TESTBEDCTL_GRAPH_OUTPUT",
            metavar="FILE",
            help="Write to FILE.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw a testbed: its services, domains and links."""
    from testbedctl.spec.graph import dot, mermaid, svg
    from testbedctl.spec.loader import load_testbed

    draw = {GraphFormat.MERMAID: mermaid, GraphFormat.DOT: dot, GraphFormat.SVG: svg}[graph_format]
    text = draw(load_testbed(spec))
    if output is None:
        typer.echo(text, nl=False)
    else:
        _write(output, text)


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", envvar="TESTBEDCTL_INIT_DIR", help="Where the files go.")
    ] = Path(),
    json: Json = False,
) -> None:
    """Write an editable testbed, a stress profile and their schemas; no file is overwritten."""
    from testbedctl.spec.starter import starter_files

    files = {directory / name: text for name, text in starter_files().items()}
    present = [str(path) for path in files if path.exists() or path.is_symlink()]
    if present:
        raise UsageError(
            f"already there: {', '.join(present)}; nothing was written",
            hint="move these files away, or give another directory: `testbedctl init DIR`",
        )
    for path, text in files.items():
        _write(path, text, new=True)
    if json:
        emit_json({"written": [str(path) for path in files]})
        return
    for path in files:
        out().print(str(path), markup=False, soft_wrap=True)


def schema(
    kind: Annotated[
        SchemaKind,
        typer.Argument(metavar="KIND", help="The kind of file.", show_default=False),
    ],
    json: Json = False,  # noqa: ARG001 - a schema is one JSON document anyway; errors must become one too
) -> None:
    """Print the JSON Schema of testbed files, stress profiles or classes files."""
    from testbedctl.spec.schema import schema_text

    typer.echo(schema_text(kind.value), nl=False)


def _checked(reference: str) -> dict[str, Any]:
    """What ``validate`` tells of one file, as it stands in the JSON document."""
    from testbedctl.spec.loader import find_any, load_any

    file = reference
    try:
        file = str(find_any(reference))
        model = load_any(file)
    except UsageError as error:  # no such name, or a file with errors
        told = {"message": error.message, "places": [asdict(p) for p in error.places], "hint": error.hint}
        return {"file": file, "ok": False, **told}
    found = {"kind": _kind(model), "name": model.name, "places": []}
    return {"file": file, "ok": True, **found, **_resolved(model)}


def _kind(model: Resolution | Profile | Classes) -> str:
    from testbedctl.spec.classes import Classes
    from testbedctl.spec.resolution import Resolution

    if isinstance(model, Resolution):
        return "testbed"
    return "classes file" if isinstance(model, Classes) else "stress profile"


def _show_resolved(result: dict[str, Any]) -> None:
    """Every VNF that is not just T1 because its flavour is small."""
    for choice in result.get("resolved", []):
        if [reason for reason in choice["reasons"] if not reason.startswith("class T1")]:
            kind = f"{choice['vnf_class']}, {choice['vcpus']:g} vCPU, {choice['ram_mib']} MiB"
            out().print(f"    {choice['vnf']}: {kind}, {choice['domain']}", markup=False, soft_wrap=True)
            for reason in choice["reasons"]:
                out().print(f"        {reason}", markup=False, soft_wrap=True)


def _resolved(model: Resolution | Profile | Classes) -> dict[str, Any]:
    """What a testbed left out and what followed, for those VNFs that left something out."""
    choices = [asdict(choice) for choice in getattr(model, "choices", ()) if choice.reasons]
    return {"resolved": choices} if choices else {}


def _write(path: Path, text: str, *, new: bool = False) -> None:
    """Write a file; ``new`` makes directories on the way and refuses a file that has come meanwhile."""
    try:
        if new:
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x" if new else "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}",
            hint="name a place that you may write to",
        ) from None
