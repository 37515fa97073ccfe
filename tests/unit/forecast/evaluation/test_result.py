"""The file of an evaluation, and its tables."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from unit.forecast.evaluation.contenders import contender, evaluation, judged, noise
from unit.forecast.usage import dataset

from testbedctl.errors import InvalidFile
from testbedctl.forecast.evaluation.result import Evaluation, load, save
from testbedctl.forecast.evaluation.table import csv_text, horizons, markdown
from testbedctl.forecast.evaluation.terminal import render

LONG = contender(
    "a-rather-long-name-of-a-model",
    horizon=6,
    quantiles=(0.9,),
    training_s=95.0,
    epochs=120,
    parameters=1_234_567,
    config={"model": "lstm", "batch_size": 256, "learning_rate": 0.001, "options": {}},
)


@pytest.fixture(scope="module")
def told() -> Evaluation:
    """Two models on noise."""
    return evaluation(judged(contender(), LONG, data=dataset(noise("a"), noise("b"))))


def text(told: Evaluation, width: int) -> list[str]:
    stream = io.StringIO()
    render(told, Console(file=stream, width=width, color_system=None, highlight=False))
    return stream.getvalue().splitlines()


def test_what_was_written_is_read_again(told: Evaluation, tmp_path: Path) -> None:
    path = save(told, tmp_path)
    assert load(tmp_path) == load(path) == told
    assert json.loads(path.read_text())["schema"] == "testbedctl.evaluation/1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": "testbedctl.report/1"}', "its schema is 'testbedctl.report/1'"),
        ("[]", "its schema is 'list'"),
        ('{"schema": "testbedctl.evalu', "damaged or truncated"),
        ('{"schema": "testbedctl.evaluation/1", "created": 7}', "created"),
    ],
)
def test_another_file_is_refused_with_the_reason(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "evaluation.json").write_text(content)
    with pytest.raises(InvalidFile, match=message):
        load(tmp_path)


def test_a_directory_without_an_evaluation_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="holds no evaluation"):
        load(tmp_path)


def test_it_fits_eighty_columns(told: Evaluation) -> None:
    lines = text(told, 80)
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("RMSE") for line in lines) == 2  # one step ahead, and six


def test_a_number_is_never_broken(told: Evaluation) -> None:
    words = " ".join(text(told, 80)).split()
    assert "1,234,567" in words
    row = told.judgements[0].contestant("mine")
    assert row
    for name, value in row.errors[0].rmse.items():
        assert f"{value:.4f}" in words, name


def test_a_wide_terminal_has_one_table_per_step_ahead(told: Evaluation) -> None:
    lines = text(told, 160)
    assert not any(line.startswith("Cost") for line in lines)
    (row,) = (line for line in lines if line.startswith("mine "))  # one step ahead is all that it looks
    mine = told.judgements[0].contestant("mine")
    assert mine
    assert row.split()[1:3] == ["3", f"{mine.errors[0].rmse['cpu']:.4f}"]


def test_the_steps_shown_are_those_that_models_look_ahead(told: Evaluation) -> None:
    assert horizons(told.judgements[0]) == (1, 6)


def test_the_scaling_and_persistence_are_always_told(told: Evaluation) -> None:
    joined = " ".join(text(told, 80))
    assert "scaled to [0, 1] per VM by its first 80 %" in joined
    assert "persistence" in joined
    assert f"{told.judgements[0].forecasts} forecasts" in joined


def test_csv_has_a_row_for_every_step_ahead(told: Evaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(told))))
    own = [row for row in rows if row["model"] == LONG.name]
    assert [row["ahead"] for row in own] == ["1", "2", "3", "4", "5", "6"]
    error = told.judgements[0].contestant(LONG.name)
    assert error
    assert float(own[5]["rmse_mean"]) == error.errors[5].mean
    assert own[0]["above_q90"] and own[0]["parameters"] == "1234567"


def test_markdown_holds_the_training_times_of_table_5(told: Evaluation) -> None:
    page = markdown(told, [("a caption", "figures/a.png")])
    assert "| a-rather-long-name-of-a-model | 1,234,567 | 120 | 1 min 35 s | 0.8 s | 256 | 0.001 |" in page
    assert "![a caption](figures/a.png)" in page
