"""``--json`` is exactly one JSON document on stdout, whatever happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden.make_run import NAME, make_run
from unit.cli.program import piped

from testbedctl.cli.main import command
from testbedctl.cli.output import promises_json

BAD_INPUT: dict[str, list[list[str]]] = {
    "up": [["no-such-lab"], ["empty.yaml"], ["a", "b"], ["--wait", "soon"], ["--wait", "-1"]],
    "down": [["--lab", "nobody"], ["--lab", "../x"], ["surplus"]],
    "status": [["--lab", "nobody"], ["--what"], []],
    "stress": [["no-such-profile"], ["quick", "--arm", "smart"], ["quick", "--arm", "reactive:x=1"],
               ["quick", "--trials", "0"], ["quick", "--arm", "none", "--arm", "none", "--dry-run"],
               ["quick", "--lab", "nobody"]],
    "demo": [["--trials", "many"], ["surplus"]],
    "report": [["no-such-run"], ["--format", "pdf"], ["--fail-on", "better"], ["--run"], ["empty.yaml"]],
    "validate": [[], ["no-such-name"], ["empty.yaml", "slice-sharing"], ["no-such.yaml"]],
    "init": [["taken"], ["--force"]],
    "schema": [["experiment"], []],
    "doctor": [["surplus"], ["--fix"]],
    "runs list": [["surplus"], ["--all"]],
    "runs show": [["no-such-run"], ["a", "b"]],
    "runs rm": [["no-such-run"], [], [NAME]],
    "dataset import": [["nowhere", "-o", "set"], ["empty.yaml"]],
    "dataset collect": [["no-such-run", "-o", "set"], ["-o", "set"]],
    "dataset describe": [["nowhere"], ["a", "b"]],
    "forecast train": [["nowhere", "-o", "model"], [], ["nowhere", "-o", "model", "--horizon", "0"]],
    "forecast evaluate": [["nowhere", "--dataset", "nowhere"], [], ["a", "--dataset", "b", "--vms", ""]],
    "forecast windows": [["nowhere"], ["a", "b", "c"]],
    "forecast claims": [["nowhere"]],
    "forecast search": [["nowhere", "-o", "best.yaml"], ["nowhere", "-o", "b.yaml", "--engine", "magic"]],
    "forecast export": [["nowhere", "-o", "file.onnx"], []],
    "forecast retrain": [["--lab", "nobody", "-o", "models"], ["--since", "soon"]],
    "classify fit": [["nowhere", "--output", "classes.yaml"], [], ["nowhere", "-o", "c.yaml", "--k", "0"]],
    "classify assign": [[], ["--vcpus", "1"], ["--slice", "5G"], ["--vcpus", "1", "--ram-gib", "-1"]],
}  # fmt: skip
CASES = [(name.split(), words) for name, cases in BAD_INPUT.items() for words in cases]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "taken").touch()
    return tmp_path


def one_document(text: str) -> Any:
    """The document; raises if there is more than one, or none."""
    return json.loads(text)


def call(words: list[str], desk: Path, **more: str) -> tuple[int, Any]:
    done = piped(*words, cwd=desk, TESTBEDCTL_STATE=str(desk / "state"), TESTBEDCTL_RUNS="runs", **more)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, one_document(done.stdout)


def test_every_command_that_has_it_is_tried() -> None:
    top = command()
    groups = {"": top, **{f"{n} ": c for n, c in top.commands.items() if hasattr(c, "commands")}}
    having = {
        f"{prefix}{name}"
        for prefix, group in groups.items()
        for name, each in group.commands.items()
        if any("--json" in p.opts for p in each.params)
    }
    assert having == set(BAD_INPUT)


@pytest.mark.parametrize(("name", "words"), CASES, ids=lambda words: " ".join(words))
def test_an_error_is_one_document(name: list[str], words: list[str], desk: Path) -> None:
    if name == ["runs", "rm"] and words == [NAME]:  # it exists, and nobody can be asked
        make_run(desk / "runs")
    code, document = call([*name, *words, "--json"], desk)
    assert code in (2, 3)
    if name == ["validate"] and "error" not in document:
        assert document["ok"] is False
        return
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "exit", "message", "places", "hint"}
    assert document["error"]["exit"] == code
    assert document["error"]["message"]


def test_validate_lists_a_wrong_name_beside_sound_files(desk: Path) -> None:
    code, document = call(["validate", "slice-sharin", "quick", "--json"], desk)
    assert code == 2
    assert [file["ok"] for file in document["files"]] == [False, True]
    assert "did you mean 'slice-sharing'?" in document["files"][0]["message"]


@pytest.mark.parametrize("words", [["--json"], ["--format", "json"], ["--format=json"]])
def test_every_way_to_ask_counts(words: list[str], desk: Path) -> None:
    assert call(["report", *words], desk)[1]["error"]["code"] == "inconclusive"
    assert call(["report", "--nonsense", *words], desk)[1]["error"]["code"] == "usage"


@pytest.mark.parametrize("variable", [{"TESTBEDCTL_JSON": "1"}, {"TESTBEDCTL_FORMAT": "json"}])
def test_a_variable_counts_too(variable: dict[str, str], desk: Path) -> None:
    assert call(["report"], desk, **variable)[1]["error"]["exit"] == 3
    assert call(["report", "--nonsense"], desk, **variable)[1]["error"]["exit"] == 2


def test_what_follows_two_hyphens_is_not_ours() -> None:
    assert promises_json(["exec", "n", "--json", "--", "x"], {})
    assert not promises_json(["exec", "n", "--", "x", "--json"], {})
    assert not promises_json(["graph"], {"TESTBEDCTL_FORMAT": "json", "TESTBEDCTL_JSON": "0"})


@pytest.mark.parametrize(
    "words",
    [["up", "--plan"], ["stress", "quick", "--dry-run"], ["runs", "list"], ["validate", "line", "quick"],
     ["init", "new"], ["schema", "testbed"], ["report"], ["runs", "show"], ["down", "--all"]],
    ids=" ".join,
)  # fmt: skip
def test_success_is_one_document_too(words: list[str], desk: Path) -> None:
    make_run(desk / "runs")
    code, document = call([*words, "--json"], desk)
    assert code == 0
    assert isinstance(document, dict) and "error" not in document
