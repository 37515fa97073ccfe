"""Figures: what is drawn, that they are written, and that the same data give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.forecast.evaluation.contenders import WAVES, contender, judged
from unit.forecast.usage import changed, dataset, series

from testbedctl.errors import Inconclusive, RunFailed
from testbedctl.forecast.evaluation.contest import run
from testbedctl.forecast.evaluation.figures import figures_of
from testbedctl.forecast.evaluation.publish import drawings_of, middle_vm
from testbedctl.forecast.evaluation.trace import SHOWN_STEPS, trace
from testbedctl.render.drawing import Drawing, image, write


def axes_of(drawing: Drawing) -> list[Any]:
    from matplotlib.figure import Figure

    canvas = Figure()
    drawing.draw(canvas)
    return canvas.axes


def named(drawings: list[Drawing], start: str) -> Drawing:
    return next(each for each in drawings if each.name.startswith(start))


def lstm(window: int) -> Any:
    return contender(f"lstm-{window}", window=window, config={"model": "lstm", "options": {}})


def test_a_forecast_lies_one_step_behind_the_truth_if_it_is_persistence() -> None:
    shown = trace([contender()], WAVES, "a", 0.8)
    assert shown.forecasts["mine"][1:] == pytest.approx(shown.truth[:-1])
    assert len(shown.truth) == 60


def test_the_stretch_that_changes_most_is_shown() -> None:
    flat = changed(series("a", 1500), slice(1200, 1500), 0, 1000.0)
    for column in (1, 2, 3):
        flat = changed(flat, slice(1200, 1500), column, 100.0)
    flat.values[1400:1410:2] = 2000.0
    shown = trace([contender()], dataset(flat), "a", 0.8)
    assert shown.first <= 200 <= 210 <= shown.first + SHOWN_STEPS
    assert len(shown.truth) == SHOWN_STEPS


def test_a_vm_without_a_judged_part_cannot_be_drawn() -> None:
    with pytest.raises(Inconclusive, match="VM tiny cannot be drawn"):
        trace([contender()], dataset(series("tiny", 3)), "tiny", 0.8)


def test_the_figure_of_a_forecast_has_a_panel_for_each_resource() -> None:
    judging = run([contender()], WAVES, ["a", "b"])
    panels = axes_of(named(drawings_of(judging, ["b"]), "forecast-waves-b"))
    assert [axes.get_title(loc="left") or axes.get_title() for axes in panels] == [
        "CPU", "RAM", "storage (write rate)", "network"
    ]  # fmt: skip
    assert [line.get_label() for line in panels[0].lines] == ["truth", "mine"]


def test_one_step_ahead_gives_bars_and_more_give_lines() -> None:
    (bars,) = axes_of(named(figures_of(judged(contender()), []), "error"))
    assert len(bars.patches) == 4
    (lines,) = axes_of(named(figures_of(judged(contender(horizon=3)), []), "error"))
    assert {len(line.get_xdata()) for line in lines.lines} == {3}


def test_calibration_is_drawn_where_there_are_quantiles() -> None:
    assert not any(each.name.startswith("calib") for each in figures_of(judged(contender()), []))
    drawn = named(figures_of(judged(contender(quantiles=(0.1, 0.9))), []), "calibration")
    (axes,) = axes_of(drawn)
    assert list(axes.lines[1].get_xdata()) == [0.1, 0.9]


def test_windows_are_drawn_where_the_papers_lstm_has_several() -> None:
    judgement = judged(lstm(1), lstm(3), lstm(12))
    (axes,) = axes_of(named(figures_of(judgement, []), "windows"))
    assert list(axes.lines[0].get_xdata()) == [1, 3, 12]
    assert not any(each.name.startswith("win") for each in figures_of(judged(lstm(1), lstm(3)), []))


def test_the_middle_vm_is_neither_the_best_nor_the_worst() -> None:
    assert middle_vm({"a": 3.0, "b": 1.0, "c": 2.0}) == "c"
    assert middle_vm({"a": 2.0, "b": 1.0}) == "b"


def test_the_same_data_give_the_same_bytes_and_both_formats(tmp_path: Path) -> None:
    drawings = figures_of(judged(contender(horizon=2, quantiles=(0.9,))), [])
    paths = write(drawings, tmp_path / "figures", option="--output")
    assert {path.suffix for path in paths} == {".png", ".svg"}
    for path, drawing in zip(paths[::2], drawings, strict=True):
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert path.read_bytes() == image(drawing, "png")
    assert image(drawings[0], "svg") == image(drawings[0], "svg")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(RunFailed, match="cannot write figures into"):
        write(figures_of(judged(contender()), []), tmp_path / "taken", option="--output")
