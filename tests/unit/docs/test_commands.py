"""Every command that a page shows exists, with its options and their values."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import pytest
import typer
from unit.docs.pages import ROOT, Snippet, code_lines, commands, pages, words_of

from testbedctl.cli import output
from testbedctl.cli.main import HELP_NAMES, command

SHOWN = [s for page in pages() for s in commands(page) if "[OPTIONS]" not in s.text]
"""All but the synopses of the reference, which is generated."""

LINES = [snippet for page in pages() for snippet in code_lines(page)]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_json_asked", False)


def parse(words: list[str]) -> list[str]:
    """Parse a command line as the program does, without running it; returns the command's name."""
    group, names = command(), []
    while hasattr(group, "commands") and words and words[0] in group.commands:
        names.append(words[0])
        group, words = group.commands[words[0]], words[1:]
    if hasattr(group, "commands"):  # an option of the program itself, or the name of a group alone
        unknown = [w for w in words if w not in {*HELP_NAMES, *chain(*(p.opts for p in group.params))}]
        if unknown:
            raise typer.BadParameter(f"no such command: {unknown[0]}")
    elif not (set(words) & set(HELP_NAMES)):
        _context(group, words)
    return names


def _context(group: Any, words: list[str]) -> None:
    """Missing arguments are allowed: a text says "`testbedctl exec`" of the command as such."""
    try:
        group.make_context("testbedctl", list(words), help_option_names=HELP_NAMES)
    except typer.TyperException as error:
        if words or "Missing" not in error.format_message():
            raise


@pytest.mark.parametrize("snippet", SHOWN, ids=str)
def test_a_shown_command_exists(snippet: Snippet) -> None:
    parse(words_of(snippet.text))


@pytest.mark.parametrize(
    "wrong",
    ["reprot", "report --jsno", "report --format pdf", "up a b c", "stress quick --trials many", "runs lst"],
)
def test_a_wrong_command_would_be_found(wrong: str) -> None:
    with pytest.raises(typer.TyperException):
        parse(wrong.split())


def test_every_command_is_shown_somewhere() -> None:
    shown = {tuple(parse(words_of(s.text))) for s in SHOWN if s.page != "docs/reference/cli.md"}
    top = {name for name, each in command().commands.items() if not hasattr(each, "commands")}
    assert {(name,) for name in top} <= shown
    assert {("runs", "list"), ("runs", "show"), ("runs", "rm")} <= shown


def test_enough_was_found_to_be_worth_the_name() -> None:
    assert len(SHOWN) > 80
    assert {"README.md", "docs/tutorial.md", "docs/how-to/ci.md"} <= {snippet.page for snippet in SHOWN}


@pytest.mark.parametrize("snippet", [s for s in LINES if "./setup.sh " in s.text], ids=str)
def test_a_verb_of_setup_exists(snippet: Snippet) -> None:
    script = (ROOT / "setup.sh").read_text(encoding="utf-8")
    for verb in re.findall(r"\./setup\.sh (\w+)", snippet.text):
        assert re.search(rf"^    {verb}\) ", script, re.MULTILINE), verb


@pytest.mark.parametrize("snippet", [s for s in LINES if re.search(r"\bpython\S* ", s.text)], ids=str)
def test_a_module_or_script_that_is_run_exists(snippet: Snippet) -> None:
    words = snippet.text.split()
    if "-m" in words and (name := words[words.index("-m") + 1]).startswith(("testbedctl", "benchmarks")):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name
    for script in (word for word in words if word.endswith(".py") and "/" in word):
        assert (ROOT / script).is_file(), script
