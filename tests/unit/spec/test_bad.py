"""Every wrong file in ``tests/bad`` gives exactly the words beside it.

After a wanted change of a message, ``TESTBEDCTL_WRITE_GOLDEN=1 pytest tests/unit/spec/test_bad.py`` writes
them anew: read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbedctl.errors import InvalidFile
from testbedctl.spec.loader import load_any

BAD = Path(__file__).parents[2] / "bad"
FILES = sorted(path.name for path in BAD.glob("*.yaml"))


def words(error: InvalidFile) -> str:
    """The error as a user reads it."""
    hint = [f"hint: {error.hint}"] if error.hint else []
    return "\n".join([f"error: {error.message}", *(f"  {place}" for place in error.places), *hint]) + "\n"


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_gives_its_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(InvalidFile) as caught:
        load_any(name)
    golden = Path(name).with_suffix(".txt")
    if os.environ.get("TESTBEDCTL_WRITE_GOLDEN"):
        golden.write_text(words(caught.value), encoding="utf-8")
    assert words(caught.value) == golden.read_text(encoding="utf-8")


def test_there_are_many_and_each_has_its_words() -> None:
    assert len(FILES) >= 20
    assert {Path(name).stem for name in FILES} == {path.stem for path in BAD.glob("*.txt")}
