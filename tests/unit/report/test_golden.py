"""The expected reports, byte for byte, and the published schemas."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from golden.make_run import make_run
from golden.refresh import GOLDEN, MODELS, REFERENCE, reports, schema_text

from .schema import faults


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def made(run: Path) -> dict[str, str]:
    return reports(run)


@pytest.mark.parametrize("suffix", ["txt", "md", "csv", "json"])
def test_the_report_is_what_it_was(made: dict[str, str], suffix: str) -> None:
    assert made[suffix] == (GOLDEN / f"report.{suffix}").read_text(encoding="utf-8")


def test_the_terminal_report_fits_eighty_columns(made: dict[str, str]) -> None:
    assert max(len(line) for line in made["txt"].splitlines()) <= 80
    assert "…" not in made["txt"]


def test_the_verdict_comes_first(made: dict[str, str]) -> None:
    assert made["txt"].startswith("reactive against none, over 4 steps: better in 2, no difference in 2.")


def test_a_copy_of_the_directory_elsewhere_gives_the_same_bytes(
    run: Path, made: dict[str, str], tmp_path: Path
) -> None:
    assert reports(shutil.copytree(run, tmp_path / "elsewhere" / run.name)) == made


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_published_schema_is_that_of_the_code(name: str) -> None:
    assert (REFERENCE / f"{name}.schema.json").read_text(encoding="utf-8") == schema_text(name)


def test_the_documents_follow_their_published_schemas(run: Path, made: dict[str, str]) -> None:
    trial = run / "trials" / "2-reactive"
    documents = {
        "report": made["json"],
        "manifest": (run / "manifest.json").read_text(),
        "trial": (trial / "trial.json").read_text(),
        "decision": (trial / "decisions.jsonl").read_text(),
    }
    assert documents.keys() == MODELS.keys()
    for name, text in documents.items():
        schema = json.loads((REFERENCE / f"{name}.schema.json").read_text(encoding="utf-8"))
        assert faults(json.loads(text), schema, schema) == [], name


def test_the_check_itself_finds_faults(made: dict[str, str]) -> None:
    schema = json.loads(schema_text("report"))
    document = json.loads(made["json"])
    step = document["arms"][0]["steps"][0]
    for key, wrong in (("offered_bps", "2"), ("sent_bps", {"median": 1}), ("lost", {"tunnel": 0})):
        right, step[key] = step[key], wrong
        assert any(key in fault for fault in faults(document, schema, schema)), key
        step[key] = right
    step["colour"] = "red"
    assert faults(document, schema, schema) == ["$.arms[0].steps[0]: unknown colour"]
