"""``forecast search`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit.forecast.evaluation.program import Program

from testbedctl.forecast.search import engine
from testbedctl.forecast.training import torch_there
from testbedctl.forecast.training.config_file import load_config

SPACE = """
base: {model: lstm, epochs: 2, batch_size: 64, options: {cells: 4, dense: [4]}}
parameters: {learning_rate: {low: 0.0001, high: 0.01, log: true}}
"""


@pytest.fixture
def forecast(waves: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """``testbedctl forecast`` beside the data set ``waves`` and a space."""
    (waves.parent / "space.yaml").write_text(SPACE)
    monkeypatch.chdir(waves.parent)
    return Program(capsys, monkeypatch)


def test_it_shows_its_progress_and_says_what_comes_next(forecast: Program) -> None:
    done = forecast("search", "waves", "--output", "best.yaml", "--space", "space.yaml", "--trials", "2")
    assert done.returncode == 0, done.stderr
    assert [line[:8] for line in done.stderr.splitlines()] == ["0 trials", "1 trial ", "2 trials"]
    assert "model: lstm" in done.stdout
    assert "next: testbedctl forecast train DATASET --config best.yaml --output DIR" in done.stdout
    assert load_config(Path("best.yaml")).options == {"cells": 4, "dense": [4]}
    assert Path("best.journal").is_file()


def test_one_document_is_printed(forecast: Program) -> None:
    words = ("search", "waves", "--output", "best.yaml", "--space", "space.yaml", "--trials", "1", "--json")
    document = json.loads(forecast(*words, "--vms", "a", "--storage", "record").stdout)
    assert document["trials"] == {"complete": 1, "pruned": 0, "failed": 0}
    assert document["best"]["config"]["epochs"] == 2
    assert document["storage"] == "record" and Path("record").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "lstm", "--space", "space.yaml"), "--model and --space are both given"),
        (("--model", "lstn"), "no space ships for the model 'lstn'"),
        (("--space", "nowhere.yaml"), "nowhere.yaml"),
        (("--vms", "a,x"), "has no VM 'x'"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_runs(
    forecast: Program, words: tuple[str, ...], message: str
) -> None:
    done = forecast("search", "waves", "--output", "best.yaml", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert not Path("best.journal").exists()


@pytest.mark.parametrize(
    ("where", "missing", "more", "extra"),
    [(torch_there, "optuna", (), "train"), (engine, "ray", ("--engine", "ray"), "fleet")],
)
def test_what_is_not_installed_is_named_with_its_extra(
    forecast: Program, monkeypatch: pytest.MonkeyPatch, where: object, missing: str, more: tuple[str, ...],
    extra: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(where, "find_spec", lambda name: None if name == missing else name)
    done = forecast("search", "waves", "--output", "best.yaml", "--space", "space.yaml", *more)
    assert done.returncode == 4
    assert f"{missing} is not installed" in done.stderr
    assert f"pip install 'testbedctl[{extra}]'" in done.stderr
    assert not Path("best.journal").exists()


def test_a_search_that_is_interrupted_says_how_to_go_on(
    forecast: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "search", interrupted)
    done = forecast("search", "waves", "--output", "best.yaml", "--space", "space.yaml")
    assert done.returncode == 130
    assert "the search so far is kept in best.journal" in done.stderr
