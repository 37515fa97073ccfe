"""The first screen: a picture that is current, and a report that is one."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest
from unit.docs.pages import ROOT
from unit.docs.readme_report import BLOCK, README, with_report


def report_shown() -> str:
    found = BLOCK.search(README.read_text(encoding="utf-8"))
    assert found, "the markers <!-- report --> and <!-- /report --> are missing"
    return found["report"]


def test_the_picture_is_what_graph_draws() -> None:
    drawn = subprocess.run(
        [sys.executable, "-m", "testbedctl", "graph", "slice-sharing", "--format", "svg"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    shown = (ROOT / "docs" / "images" / "testbed.svg").read_text(encoding="utf-8")
    assert shown == drawn
    assert ElementTree.fromstring(shown).tag.endswith("svg")
    assert "docs/images/testbed.svg" in README.read_text(encoding="utf-8")


def test_the_report_is_a_real_one_and_fits_the_page() -> None:
    lines = [line for line in report_shown().splitlines() if line]
    assert all(line.startswith("    ") and len(line) <= 84 for line in lines)
    text = report_shown()
    assert lines[0].strip().startswith("reactive against none, over 4 steps")
    for part in ("Delivered, % of offered", "Where packets were lost", "vdpi throttled", "host: "):
        assert part in text
    assert "synthetic" not in text, "the README shows a measured run"


def test_another_report_takes_the_place_of_the_old_one() -> None:
    page = "# head\n\n<!-- report -->\n\n    old\n\n<!-- /report -->\n\ntail\n"
    assert with_report(page, "new\n\nlines") == (
        "# head\n\n<!-- report -->\n\n    new\n\n    lines\n\n<!-- /report -->\n\ntail\n"
    )
    with pytest.raises(ValueError, match="0 places"):
        with_report("# no markers\n", "new")
