"""Write the expected reports and the published JSON Schemas anew, after a wanted change: look at the diff.

PYTHONPATH=. python tests/golden/refresh.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from golden.make_run import Recipe, make_run
from testbedctl.records.manifest import Manifest
from testbedctl.records.reader import RunReader
from testbedctl.records.trial import Decision, TrialRecord
from testbedctl.report import csv, markdown, terminal
from testbedctl.report.document import Report, json_text, report_of

GOLDEN = Path(__file__).resolve().parent
REFERENCE = GOLDEN.parents[1] / "docs" / "reference"
FIGURES = [("Figure 14a", "figures/figure-14a.png")]

RECIPES = {"report": Recipe(), "tcp": Recipe(traffic="tcp"), "pcap": Recipe(traffic="pcap")}
"""The runs by the stem of their expected reports: ordinary UDP, TCP, and the replay of a capture."""

MODELS: dict[str, type[BaseModel]] = {
    "manifest": Manifest,
    "trial": TrialRecord,
    "decision": Decision,
    "report": Report,
}


def schema_text(name: str) -> str:
    """The published JSON Schema of a record, as its model defines it."""
    schema = MODELS[name].model_json_schema(mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{name}.schema.json"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def reports(run: Path) -> dict[str, str]:
    """Every format of a run's report by its suffix."""
    report = report_of(RunReader(run))
    return {
        "txt": terminal.text(report),
        "md": markdown.text(report, FIGURES),
        "csv": csv.text(report),
        "json": json_text(report),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        for name, recipe in RECIPES.items():
            for suffix, text in reports(make_run(Path(directory) / name, recipe)).items():
                (GOLDEN / f"{name}.{suffix}").write_text(text, encoding="utf-8")
    for name in MODELS:
        (REFERENCE / f"{name}.schema.json").write_text(schema_text(name), encoding="utf-8")
