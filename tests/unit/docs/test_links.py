"""Every link between pages leads somewhere, every page can be reached, and nothing names this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from unit.docs.pages import ROOT, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    broken = []
    for line, target in links(page):
        path, _, anchor = target.partition("#")
        if re.match(r"https?:", path):
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            broken.append(f"{line}: {target}")
        elif anchor and anchor not in anchors(there):
            broken.append(f"{line}: {target} (no such heading)")
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        ahead += [(page.parent / target.partition("#")[0]).resolve() for _, target in links(page)]
    assert set(pages()) <= reached


def test_files_that_the_text_names_exist() -> None:
    missing = [
        f"{page.relative_to(ROOT)}:{number}: {name}"
        for page in pages()
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        for name in re.findall(r"`((?:tests|testbedctl|profiles|examples|benchmarks|docs)/[\w./-]+)`", line)
        if not (ROOT / name).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_is_endless(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"[ \t]+$", text, re.MULTILINE), "blanks at the end of a line"
    assert text.endswith("\n") and not text.endswith("\n\n")
