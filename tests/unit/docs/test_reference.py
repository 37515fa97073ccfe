"""The reference says what the code says."""

from __future__ import annotations

import re
from typing import Any

from unit.docs import reference
from unit.docs.pages import ROOT, pages

from testbedctl import errors
from testbedctl.cli.main import command


def test_the_page_of_the_command_line_is_current() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.text(), (
        "write it anew: PYTHONPATH=. python tests/unit/docs/reference.py"
    )


def test_every_option_is_also_a_variable() -> None:
    free = {"--version", "--install-completion", "--show-completion"}
    without = [p.opts[0] for each in _all(command()) for p in each.params if _is_option(p) and not p.envvar]
    assert set(without) == free


def test_every_option_and_argument_says_what_it_is() -> None:
    assert [p.opts for each in _all(command()) for p in each.params if not p.help] == []


def test_every_variable_of_the_code_is_documented() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "testbedctl").rglob("*.py")]
    sources.append((ROOT / "setup.sh").read_text("utf-8"))
    used = {name for text in sources for name in re.findall(r"\bTESTBEDCTL_[A-Z_]+[A-Z]\b", text)}
    told = "".join(page.read_text("utf-8") for page in pages())
    of_tests = {name for name in used if name.startswith(("TESTBEDCTL_TEST_", "TESTBEDCTL_SETUP_"))}
    assert {name for name in used - of_tests if name not in told} == set()


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| `?([\w-]*)", page, re.MULTILINE))
    codes = {e.exit_code for e in vars(errors).values() if isinstance(e, type) and hasattr(e, "exit_code")}
    assert set(map(int, rows)) == {0, 141, *codes}
    words = set(re.findall(r"`([a-z-]+)`", page))
    assert {e.code for e in vars(errors).values() if isinstance(e, type) and hasattr(e, "code")} <= words


def _all(group: Any) -> list[Any]:
    below = list(getattr(group, "commands", {}).values())
    return [group, *(each for deeper in below for each in _all(deeper))]


def _is_option(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")
