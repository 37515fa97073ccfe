"""Puts the report of a run between the markers of README.md.

PYTHONPATH=. python tests/unit/docs/readme_report.py [RUN]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from testbedctl.records.catalogue import find_run
from testbedctl.report import terminal
from testbedctl.report.document import report_of

README = Path(__file__).resolve().parents[3] / "README.md"
BLOCK = re.compile(r"(?<=<!-- report -->\n)(?P<report>.*?)(?=<!-- /report -->)", re.DOTALL)


def with_report(page: str, report: str) -> str:
    """The page with another report; raises ``ValueError`` where its markers are missing."""
    lines = "".join(f"    {line}".rstrip() + "\n" for line in report.splitlines())
    replaced, count = BLOCK.subn(lambda _: f"\n{lines}\n", page)
    if count != 1:
        raise ValueError(f"{count} places between <!-- report --> and <!-- /report --> instead of one")
    return replaced


if __name__ == "__main__":
    run = find_run(sys.argv[1] if len(sys.argv) > 1 else None).run
    README.write_text(with_report(README.read_text("utf-8"), terminal.text(report_of(run))), "utf-8")
