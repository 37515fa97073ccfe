"""Where output goes: results on stdout, everything else on stderr, one document with ``--json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from testbedctl.errors import TestbedError

_json_asked = False


def set_json(asked: bool) -> bool:
    """Remember that ``--json`` (or ``--format json``) was given, so that errors become JSON too."""
    global _json_asked
    _json_asked = _json_asked or asked
    return asked


def json_asked() -> bool:
    """Whether this invocation promised one JSON document on stdout."""
    return _json_asked


def promises_json(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether a command line that could not be parsed asks for JSON; what follows ``--`` is not ours."""
    words = list(arguments)
    ours = words[: words.index("--")] if "--" in words else words
    if "--json" in ours or "--format=json" in ours or ("--format", "json") in pairwise(ours):
        return True
    if environment.get("TESTBEDCTL_JSON", "").lower() in ("1", "true", "t", "yes", "y", "on"):
        return True
    return "report" in ours and environment.get("TESTBEDCTL_FORMAT") == "json"


def out() -> Console:
    """The console for results."""
    from rich.console import Console

    return Console(highlight=False)


def err() -> Console:
    """The console for progress, warnings and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def emit_json(document: object) -> None:
    """Print the one JSON document of this invocation."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def show_error(error: TestbedError) -> None:
    """Print an error with every place and its hint."""
    if json_asked():
        emit_json(error.as_dict())
        return
    console = err()
    console.print(f"[bold red]error:[/] {_escaped(error.message)}", soft_wrap=True)
    for place in error.places:
        console.print(f"  {_escaped(str(place))}", soft_wrap=True)
    if error.hint:
        console.print(f"[bold]hint:[/] {_escaped(error.hint)}", soft_wrap=True)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
