"""What a reader can type without root and without traffic is typed here; files in the text are checked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from golden.make_run import NAME, make_run
from unit.docs.pages import ROOT, Snippet, commands, pages, words_of

HARMLESS = {"graph", "validate", "init", "schema", "report"}
VALUES = {"RUN": NAME, "FILE": "out.md", "DIR": "figures"}
YAML = re.compile(r"^```yaml\n(name: .*?)^```", re.MULTILINE | re.DOTALL)


def harmless(words: list[str]) -> bool:
    """Whether a command reads, writes files of its own, or only says what it would do.

    What shows a choice, or a file of the reader's own, cannot be tried.
    """
    if "testbed|profile" in words or "lab.yaml" in words:
        return False
    if words and words[0] in HARMLESS:
        return len(words) > 1
    if words[:2] in (["runs", "list"], ["runs", "show"]):
        return True
    return words[:1] in (["stress"], ["up"]) and bool({"--dry-run", "--plan"} & set(words))


EXAMPLES = [
    snippet
    for page in pages()
    if "reference/cli" not in str(page)
    for snippet in commands(page)
    if harmless(words_of(snippet.text))
]


def files_in_the_text() -> list[tuple[str, str]]:
    """Every whole testbed or profile in a page: the page and the text."""
    found = []
    for page in pages():
        blocks = YAML.findall(page.read_text(encoding="utf-8"))
        found += [(page.stem, text) for text in blocks if "shape:" in text or "services:" in text]
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the examples speak of, and one recorded run."""
    here = tmp_path_factory.mktemp("desk")
    make_run(here / "runs")
    call(["init"], here)
    (here / "docs" / "images").mkdir(parents=True)
    (here / "camera.pcap").touch()
    for page, text in files_in_the_text():
        name = re.search(r"name: (\S+)", text)
        assert name, page
        (here / f"{name[1]}.yaml").write_text(text, encoding="utf-8")
    return here


def call(words: list[str], where: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "testbedctl", *words]
    own = {"PYTHONPATH": str(ROOT), "TESTBEDCTL_RUNS": "runs", "TESTBEDCTL_STATE": str(where / "state")}
    environment = {**os.environ, **own}
    return subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("snippet", EXAMPLES, ids=str)
def test_an_example_does_what_the_page_says(snippet: Snippet, desk: Path) -> None:
    words = [VALUES.get(word, word) for word in words_of(snippet.text)]
    if words[1] == VALUES["FILE"]:  # a file that is read, not written
        words[1] = "slice-sharing.yaml"
    done = call(words, desk)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_files_in_the_text_are_sound(desk: Path) -> None:
    names = [
        f"{name[1]}.yaml" for _, text in files_in_the_text() if (name := re.search(r"name: (\S+)", text))
    ]
    assert len(names) >= 2
    done = call(["validate", *names], desk)
    assert done.returncode == 0, done.stderr
