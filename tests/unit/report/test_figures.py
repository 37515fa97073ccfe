"""Figures: the right ones, with the right points, and the same bytes every time."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from golden.make_run import Recipe, make_run

from testbedctl.analysis.timeline import timelines
from testbedctl.errors import RunFailed
from testbedctl.records.reader import RunReader
from testbedctl.records.tables import read_table, write_table
from testbedctl.render.drawing import Drawing, image, write
from testbedctl.report.document import report_of
from testbedctl.report.figures import figures_of

NAMES = ["figure-14a", "figure-14b", "figure-15a", "figure-15b", "throughput"]


def _figures(path: Path) -> list[Drawing]:
    run = RunReader(path)
    return figures_of(report_of(run), timelines(run))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"))


def _drawn(figure: Drawing) -> Any:
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas()
    figure.draw(canvas)
    [axes] = canvas.axes
    return axes


def test_every_figure_comes_as_png_and_svg_and_the_same_each_time(run: Path, tmp_path: Path) -> None:
    first = write(_figures(run), tmp_path / "a", option="--figures")
    second = write(_figures(run), tmp_path / "b", option="--figures")
    assert [path.name for path in first] == [f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert b"<dc:date>" not in (tmp_path / "a" / "throughput.svg").read_bytes()


def test_the_users_matplotlib_settings_and_another_process_change_nothing(run: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsvg.hashsalt: other\n")
    script = (
        "import sys; from hashlib import sha256; from pathlib import Path\n"
        "from testbedctl.analysis.timeline import timelines\n"
        "from testbedctl.records.reader import RunReader\n"
        "from testbedctl.report.document import report_of\n"
        "from testbedctl.render.drawing import image\n"
        "from testbedctl.report.figures import figures_of\n"
        "run = RunReader(Path(sys.argv[1]))\n"
        "for figure in figures_of(report_of(run), timelines(run)):\n"
        "    for kind in ('png', 'svg'): print(sha256(image(figure, kind)).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MPLCONFIGDIR": str(tmp_path)}
    argv = [sys.executable, "-c", script, str(run)]
    found = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    here = [sha256(image(f, kind)).hexdigest() for f in _figures(run) for kind in ("png", "svg")]
    assert found.stdout.split() == here


def test_figure_14b_shows_the_medians_of_arm_none_over_the_offered_rate(run: Path) -> None:
    axes = _drawn(_figures(run)[1])
    line = axes.containers[0].lines[0]
    steps = report_of(RunReader(run)).arms[0].steps
    medians = [step.vnf_cpu_ratio["service1/vdpi"] for step in steps]
    assert list(line.get_xdata()) == [2, 75, 300, 600]
    assert list(line.get_ydata()) == pytest.approx([100 * value.median for value in medians if value])
    assert "Mb/s" in axes.get_xlabel()
    assert "quota" in axes.get_ylabel()


def test_the_moves_are_marked_when_the_switch_had_applied_them(run: Path) -> None:
    axes = _drawn(_figures(run)[4])
    marks = next(line for line in axes.lines if line.get_label() == "share applied, reactive")
    assert list(marks.get_xdata()) == pytest.approx([9.6] * 3)


def test_figures_without_data_are_left_out(tmp_path: Path) -> None:
    alone = make_run(tmp_path / "a", Recipe(arms=("none",), trials=1))
    assert [figure.name for figure in _figures(alone)] == ["figure-14a", "figure-14b", "throughput"]
    sharing = make_run(tmp_path / "b", Recipe(arms=("reactive",), trials=1))
    assert [figure.name for figure in _figures(sharing)] == ["figure-15a", "figure-15b", "throughput"]


def test_a_directory_that_cannot_be_written_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailed, match="file"):
        write(_figures(run), tmp_path / "file", option="--figures")


def test_the_delivered_rate_reaches_from_the_trials_start_to_its_end(run: Path) -> None:
    axes = _drawn(_figures(run)[4])
    stairs = {patch.get_label(): patch for patch in axes.patches}
    for arm in ("none", "reactive"):
        edges = stairs[f"delivered, {arm}"].get_data().edges
        assert (edges[0], edges[-1]) == (0, 16)
    values = stairs["delivered, none"].get_data().values
    assert values[0] == pytest.approx(2, rel=0.05)
    assert values[-1] == pytest.approx(270, rel=0.05)
    assert axes.get_xlim() == (0, 16)


def test_a_second_that_was_not_measured_is_a_gap(run: Path, tmp_path: Path) -> None:
    path = shutil.copytree(run, tmp_path / run.name)
    for file in path.glob("trials/*-none/flows.parquet"):
        rows = read_table(file, "flows").to_pylist()
        write_table(file, "flows", [row for row in rows if row["second"] != 5])
    (values,) = (
        patch.get_data().values
        for patch in _drawn(_figures(path)[4]).patches
        if patch.get_label() == "delivered, none"
    )
    assert math.isnan(values[5])
    assert not any(math.isnan(value) for value in [*values[:5], *values[6:]])


def test_rates_that_repeat_are_drawn_step_by_step(tmp_path: Path) -> None:
    path = make_run(tmp_path, Recipe(rates_bps=(600e6,) * 4))
    figures = _figures(path)
    for figure in figures[:4]:
        axes = _drawn(figure)
        assert list(axes.containers[0].lines[0].get_xdata()) == [1, 2, 3, 4]
        assert axes.get_xlabel() == "step, 600 Mb/s offered"
        assert axes.get_xscale() == "linear"
        assert image(figure, "png")


@pytest.mark.parametrize("traffic", ["tcp", "pcap"])
@pytest.mark.parametrize("arms", [("none",), ("reactive",), ("none", "reactive")])
@pytest.mark.parametrize("rates_bps", [(600e6,), (600e6,) * 3, (2e6, 75e6, 300e6)])
def test_every_kind_of_run_can_be_drawn(tmp_path: Path, traffic: Any, arms: Any, rates_bps: Any) -> None:
    recipe = Recipe(traffic=traffic, arms=arms, trials=1, rates_bps=rates_bps)
    assert all(image(figure, "svg") for figure in _figures(make_run(tmp_path, recipe)))


def test_a_run_without_any_cpu_value_can_be_drawn(run: Path, tmp_path: Path) -> None:
    path = shutil.copytree(run, tmp_path / run.name)
    rows = read_table(path / "results.parquet", "results").to_pylist()
    write_table(path / "results.parquet", "results", [row for row in rows if row["vnf"] is None])
    assert all(image(figure, "svg") for figure in _figures(path))
