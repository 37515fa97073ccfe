"""The documentation as data: pages, code blocks, the commands in them, links and headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_FENCE = re.compile(r"^ *```(\w*)")
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
_PREFIX = re.compile(r"^(\$ |# |sudo (-E )?|[A-Z_]+=\S+ |\.venv/bin/|then )+")
COMMAND = re.compile(r"^(sudo (-E )?)?(\.venv/bin/)?testbedctl( |$)")


@dataclass(frozen=True)
class Snippet:
    """A command line of a page."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def pages() -> list[Path]:
    """Every page that a reader may open."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return top + sorted((ROOT / "docs").rglob("*.md"))


def code_lines(page: Path) -> Iterator[Snippet]:
    """Lines of indented and fenced blocks; continued lines are joined."""
    name, fenced, pending, begun = str(page.relative_to(ROOT)), False, "", 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            begun = begun or number
            pending += line.strip()
            if pending.endswith("\\"):
                pending = pending[:-1]
            else:
                yield Snippet(name, begun, pending)
                pending, begun = "", 0


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The other lines, with their numbers."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield number, line


def commands(page: Path) -> list[Snippet]:
    """Every ``testbedctl …`` of a page, in blocks, in their comments, and within the text."""
    found = []
    for snippet in code_lines(page):
        text = re.sub(r"^(- )?(run|script): ", "", snippet.text)
        found += [Snippet(snippet.page, snippet.line, part) for part in _parts(text)]
    for number, line in prose(page):
        for span in _INLINE.findall(line):
            name = str(page.relative_to(ROOT))
            found += [Snippet(name, number, part) for part in _parts(span)]
    return found


def _parts(text: str) -> Iterator[str]:
    for part in re.split(r" (?:&&|\|\||\\?\||;) | > ", text.lstrip("- ")):
        bare = _PREFIX.sub("", part.strip())
        if COMMAND.match(bare):
            yield bare


def words_of(command: str) -> list[str]:
    """The arguments after ``testbedctl``, without comments and what a synopsis has in brackets."""
    words = shlex.split(command.replace("…", ""), comments=True)
    return [word for word in words[1:] if not re.fullmatch(r"\[.+\]", word)]


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Targets of links, with the line that they are on."""
    for number, line in prose(page):
        for target in _LINK.findall(_INLINE.sub("", line) if "](" not in line else line):
            yield number, target


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = (line.lstrip("#").strip() for _, line in prose(page) if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
