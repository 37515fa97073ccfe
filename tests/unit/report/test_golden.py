"""The expected reports, byte for byte, and the published schemas."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from golden.make_run import make_run
from golden.refresh import GOLDEN, MODELS, RECIPES, REFERENCE, reports, schema_text

from .schema import faults


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def made(run: Path) -> dict[str, str]:
    return reports(run)


@pytest.fixture(scope="module", params=sorted(RECIPES))
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The name of each expected report, and the run that it is of."""
    runs = tmp_path_factory.mktemp(request.param)
    return request.param, make_run(runs, RECIPES[request.param])


def test_the_report_is_what_it_was(each: tuple[str, Path]) -> None:
    name, path = each
    for suffix, text in reports(path).items():
        assert text == (GOLDEN / f"{name}.{suffix}").read_text(encoding="utf-8"), suffix


def test_the_terminal_report_is_short_and_fits_eighty_columns(each: tuple[str, Path]) -> None:
    lines = reports(each[1])["txt"].splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 60
    assert not any("…" in line for line in lines)


def test_the_report_follows_its_published_schema(each: tuple[str, Path]) -> None:
    schema = json.loads((REFERENCE / "report.schema.json").read_text(encoding="utf-8"))
    assert faults(json.loads(reports(each[1])["json"]), schema, schema) == []


def test_no_format_shows_a_loss_below_zero(each: tuple[str, Path]) -> None:
    document = json.loads(reports(each[1])["json"])
    for arm in document["arms"]:
        for step in arm["steps"]:
            for quantity in ("loss_ratio", "others_loss_ratio"):
                assert step[quantity]["low"] >= 0
            assert step["delivered_ratio"]["high"] <= 1
            assert step["settled_delivered_ratio"]["high"] <= 1


def test_packets_that_tcp_does_not_number_are_not_zero() -> None:
    text = {suffix: (GOLDEN / f"tcp.{suffix}").read_text(encoding="utf-8") for suffix in ("txt", "md", "csv")}
    assert "Where packets were lost was not measured" in text["txt"]
    assert "| vdpi throttled | – | – |" in text["md"]
    assert ",lost_tunnel_packets,,packets,,,,0," in text["csv"]


def test_the_verdict_comes_first(made: dict[str, str]) -> None:
    head = made["txt"].split("\n\n")[0].replace("\n", " ")
    assert head.startswith("reactive against none, over 4 steps: better in 2, no difference in 2.")
    assert "at 600 Mb/s offered (step 4): 45.0 % delivered before (none), 100.0 % after (reactive)" in head


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
