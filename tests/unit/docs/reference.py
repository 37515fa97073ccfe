"""Writes docs/reference/cli.md from the commands themselves.

PYTHONPATH=. python tests/unit/docs/reference.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from testbedctl.cli.main import HELP_NAMES, PROGRAM, command

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "cli.md"

_HEAD = """# The command line

This page is written by `tests/unit/docs/reference.py` from the commands themselves; a test keeps it current.

Results go to stdout, everything else to stderr. `--json` prints exactly one JSON document, errors included
(`{"error": {"code", "exit", "message", "places", "hint"}}`). Colours and live lines appear on a terminal
only, and `NO_COLOR` turns colours off. Every option can be given as an environment variable; the option wins,
and `TESTBEDCTL_ARMS` separates arms by spaces. The exit codes are [the same everywhere](exit-codes.md).

## Environment variables that no option sets
| variable | what | default |
|---|---|---|
| `TESTBEDCTL_STATE` | where labs keep journals and logs; must survive a reboot | `/var/lib/testbedctl` |
| `TESTBEDCTL_RUNS` | where runs are kept | `runs` in the current directory |
| `NO_COLOR` | set and not empty: no colours | |
| `COLUMNS` | width of tables where there is no terminal | 80 |

`TESTBEDCTL_SDN_NORTHBOUND` and `TESTBEDCTL_SDN_TOKEN_FILE` are [the controller's own](northbound.md).
"""


def text() -> str:
    """The whole page."""
    groups: dict[str, list[str]] = {}
    for words, each in _commands(command(), ()):
        panel = getattr(each, "rich_help_panel", None)
        title = panel if isinstance(panel, str) else "Measuring"  # the commands of `runs`
        groups.setdefault(title, []).append(_section(words, each))
    parts = [_HEAD, *(f"## {title}\n\n" + "\n".join(sections) for title, sections in groups.items())]
    return "\n".join(parts)


def _commands(group: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from _commands(each, (*above, name))
        else:
            yield (*above, name), each


def _section(words: tuple[str, ...], each: Any) -> str:
    context = typer.Context(each, info_name=" ".join((PROGRAM, *words)), help_option_names=HELP_NAMES)
    usage = " ".join(each.collect_usage_pieces(context)).replace("{-- CMD...}...", "-- CMD...")
    usage = usage.replace("{", "").replace("}", "")
    lines = [f"### {PROGRAM} {' '.join(words)}", "", inspect.cleandoc(each.help), ""]
    lines += [f"    {PROGRAM} {' '.join(words)} {usage}", ""]
    rows = [_row(parameter, context) for parameter in each.params]
    if rows:
        lines += ["| argument or option | value | variable | default | what |", "|---|---|---|---|---|"]
        lines += [*rows, ""]
    return "\n".join(lines)


def _row(parameter: Any, context: Any) -> str:
    option = parameter.param_type_name == "option"
    names = ", ".join(f"`{name}`" for name in parameter.opts) if option else f"`{parameter.display_name_raw}`"
    variable = f"`{parameter.envvar}`" if parameter.envvar else ""
    told = (parameter.help or "").replace("|", "\\|").replace("<", "\\<")
    return "| " + " | ".join((names, _value(parameter, context), variable, _default(parameter), told)) + " |"


def _value(parameter: Any, context: Any) -> str:
    if _flag(parameter):
        return ""
    kind = parameter.display_type(context).strip("<>").replace(" range", "").replace("|", ", ")
    kind = "str, again for more" if kind == "list[str]" else kind
    limits = parameter._get_number_range_help_str() or ""
    return f"{kind} {limits.replace('<=x<=', ' to ').replace('x>=', 'from ')}".strip()


def _flag(parameter: Any) -> bool:
    return bool(getattr(parameter, "is_flag", False))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "needed"
    if _flag(parameter) or parameter.default in (None, "") or callable(parameter.default):
        return ""
    return f"`{getattr(parameter.default, 'value', parameter.default)}`"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
