"""Templates: strict about values, safe in XML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbedctl.errors import InvalidFile
from testbedctl.render import templates


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of templates in place of the shipped one."""
    monkeypatch.setattr(templates, "data_dir", lambda _name: tmp_path)
    templates._environment.cache_clear()
    yield tmp_path
    templates._environment.cache_clear()


def test_xml_is_escaped_and_other_text_is_not(shipped: Path) -> None:
    for name in ("a.xml.j2", "a.xml", "a.yml.j2"):
        (shipped / name).write_text("<vm>{{ name }}</vm>\n")
    assert templates.render("a.xml.j2", name="<b>&") == "<vm>&lt;b&gt;&amp;</vm>\n"
    assert templates.render("a.xml", name='"') == "<vm>&#34;</vm>\n"
    assert templates.render("a.yml.j2", name="<b>") == "<vm><b></vm>\n"


def test_a_value_that_was_not_given_is_an_error(shipped: Path) -> None:
    (shipped / "a.j2").write_text("{{ missing }}")
    with pytest.raises(InvalidFile, match="missing"):
        templates.render("a.j2")


def test_a_template_that_is_not_there_names_those_that_are(shipped: Path) -> None:
    (shipped / "a.j2").write_text("")
    with pytest.raises(InvalidFile) as caught:
        templates.render("b.j2")
    assert caught.value.hint == "templates: a.j2"


def test_a_broken_template_names_the_line(shipped: Path) -> None:
    (shipped / "a.j2").write_text("one\n{% if %}\n")
    with pytest.raises(InvalidFile) as caught:
        templates.render("a.j2")
    assert caught.value.places[0].line == 2
