"""Figures of a run as PNG and SVG: 14a/b and 15a/b of the predictive-slicing paper, and throughput.

The same run gives the same bytes: no date, no program name, fixed identifiers, fonts drawn as paths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle, pairwise
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbedctl.analysis.comparison import BASELINE
from testbedctl.errors import RunFailed
from testbedctl.report.wording import sharing_arm, shown_pair
from testbedctl.units import mbps, percent

if TYPE_CHECKING:
    from testbedctl.analysis.statistics import Measured
    from testbedctl.analysis.timeline import Timeline
    from testbedctl.report.document import ArmReport, Report

Draw = Callable[[Any], None]
"""Draws into a matplotlib Axes."""

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
FORMATS = ("png", "svg")

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "testbedctl",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "errorbar.capsize": 3.5,
}


@dataclass(frozen=True)
class Figure:
    """One figure: the stem of its files, its caption, and how it is drawn."""

    name: str
    caption: str
    draw: Draw


def figures_of(report: Report, timelines: Sequence[Timeline]) -> list[Figure]:
    """Every figure for which the run has the data: 14 needs the arm ``none``, 15 an arm that shared."""
    return [*_figure_14(report), *_figure_15(report), *_throughput(report, timelines)]


def write_figures(figures: Sequence[Figure], directory: Path) -> list[Path]:
    """Write each figure as PNG and SVG and return the paths. Raises RunFailed if that is impossible."""
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for figure in figures:
            for kind in FORMATS:
                path = directory / f"{figure.name}.{kind}"
                path.write_bytes(image(figure, kind))
                written.append(path)
    except OSError as error:
        raise RunFailed(
            f"cannot write figures into {directory}: {error.strerror or error}",
            hint="give another directory with --figures",
        ) from error
    return written


def image(figure: Figure, kind: str) -> bytes:
    """The figure as ``png`` or ``svg``."""
    from matplotlib.figure import Figure as Canvas

    with _style():
        canvas = Canvas(figsize=(6.4, 4.0), layout="constrained")
        axes = canvas.add_subplot()
        figure.draw(axes)
        stream = BytesIO()
        nothing: dict[str, None] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        canvas.savefig(stream, format=kind, dpi=150, metadata=nothing)
    return stream.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    """Our settings alone, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def _figure_14(report: Report) -> Iterator[Figure]:
    arm = report.arm(BASELINE)
    for key in report.exhausted[:1] if arm else []:
        dpi = report.vnfs[key].dpi or "off"
        for letter, attribute, of in (("a", "slice_cpu_ratio", "slice"), ("b", "vnf_cpu_ratio", "quota")):
            caption = f"Figure 14{letter}: CPU of {key} standing alone, DPI {dpi}, % of its {of}"
            yield _cpu_figure(f"figure-14{letter}", caption, report, arm, [("vDPI", key)], attribute)


def _figure_15(report: Report) -> Iterator[Figure]:
    arm = sharing_arm(report)
    pair = shown_pair(report)
    if arm is None or len(pair) < 2:
        return
    for letter, attribute, of in (("a", "slice_cpu_ratio", "slices"), ("b", "vnf_cpu_ratio", "quotas")):
        caption = f"Figure 15{letter}: CPU of both vDPIs with sharing (arm {arm.name}), % of their {of}"
        yield _cpu_figure(f"figure-15{letter}", caption, report, arm, pair, attribute)


def _cpu_figure(
    name: str,
    caption: str,
    report: Report,
    arm: ArmReport | None,
    pair: Sequence[tuple[str, str]],
    attribute: str,
) -> Figure:
    """CPU over the offered rate, or over the step where rates repeat; an interval is an error bar."""
    steps = arm.steps if arm else []
    rates = [mbps(step.offered_bps) for step in steps]
    by_rate = len(set(rates)) == len(rates)
    places = rates if by_rate else [float(step.step) for step in steps]

    def draw(axes: Any) -> None:
        for (label, key), colour, marker in zip(pair, COLOURS, "os", strict=False):
            values = [getattr(step, attribute)[key] for step in steps]
            _line(axes, list(zip(places, values, strict=True)), f"{label} ({key})", colour, marker)
        if attribute == "vnf_cpu_ratio":
            threshold = percent(report.vnfs[pair[0][1]].cpu_threshold)
            axes.axhline(threshold, color=GREY, linestyle="--", linewidth=1.2, label="threshold")
        if by_rate:
            _rate_axis(axes, rates)
        else:
            _step_axis(axes, rates)
        of = "the slice's CPU in the domain" if attribute == "slice_cpu_ratio" else "the VNF's CPU quota"
        axes.set_ylabel(f"CPU, % of {of}")
        axes.set_title(caption)
        axes.set_ylim(bottom=0)
        axes.legend(loc="best")

    return Figure(name, caption, draw)


def _line(
    axes: Any, points: Sequence[tuple[float, Measured | None]], label: str, colour: str, marker: str
) -> None:
    measured = [(place, value) for place, value in points if value is not None]
    medians = [percent(value.median) for _, value in measured]
    below = [percent(max(0.0, value.median - value.low)) for _, value in measured]
    above = [percent(max(0.0, value.high - value.median)) for _, value in measured]
    places = [place for place, _ in measured]
    axes.errorbar(places, medians, yerr=[below, above], label=label, color=colour, marker=marker)


def _step_axis(axes: Any, rates: Sequence[float]) -> None:
    """Steps one after the other, as offered rates that repeat would put points on top of each other."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.5, len(rates) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    lowest, highest = min(rates), max(rates)
    offered = f"{lowest:g}" if lowest == highest else f"{lowest:g} to {highest:g}"
    axes.set_xlabel(f"step, {offered} Mb/s offered")


def _rate_axis(axes: Any, offered: Sequence[float]) -> None:
    """Offered rates on a logarithmic axis, as they double, with the steps themselves as ticks.

    A step too near to the next one, as 512 is to 600 Mb/s, keeps its point but not its tick.
    """
    from matplotlib.ticker import NullLocator

    rates = sorted(offered)
    if rates and rates[-1] > 8 * rates[0] > 0:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_minor_locator(NullLocator())
        ticks = [rate for rate, above in pairwise(rates) if above > 1.4 * rate] + rates[-1:]
        axes.set_xticks(ticks, [f"{rate:g}" for rate in ticks])
    axes.set_xlabel("offered rate, Mb/s")


def _throughput(report: Report, timelines: Sequence[Timeline]) -> Iterator[Figure]:
    if not timelines:
        return
    caption = f"Offered and delivered rate of {report.service} over the trial, median and range of the trials"

    def draw(axes: Any) -> None:
        _offered(axes, report)
        for timeline, colour in zip(timelines, cycle(COLOURS), strict=False):
            _delivered(axes, timeline, colour, report.arms[0].steps[-1].end_s)
        axes.set_xlabel("time in the trial, s")
        axes.set_ylabel("rate, Mb/s")
        axes.set_title("Offered and delivered rate, median and range of the trials")
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, report.arms[0].steps[-1].end_s)
        axes.legend(loc="upper left")

    yield Figure("throughput", caption, draw)


def _offered(axes: Any, report: Report) -> None:
    steps = report.arms[0].steps
    edges = [*(step.start_s for step in steps), steps[-1].end_s]
    rates = [mbps(step.offered_bps) for step in steps]
    axes.stairs(
        rates, edges, baseline=None, color=GREY, linewidth=1.4, linestyle=":", label="offered", zorder=3
    )


def _delivered(axes: Any, timeline: Timeline, colour: str, end_s: float) -> None:
    """A stair a second, from the trial's start to its end; a second that was not measured is a gap."""
    import numpy as np

    edges = np.arange(ceil(end_s) + 1)
    low, median, high = np.full((3, len(edges) - 1), np.nan)
    for second in timeline.seconds:
        if second.second < len(median):
            low[second.second] = mbps(second.low_bps)
            median[second.second] = mbps(second.delivered_bps)
            high[second.second] = mbps(second.high_bps)
    label = f"delivered, {timeline.arm}"
    axes.stairs(median, edges, baseline=None, color=colour, linewidth=1.8, label=label)
    axes.stairs(high, edges, baseline=low, color=colour, alpha=0.25, linewidth=0, fill=True)
    _moves(axes, timeline, colour)


def _moves(axes: Any, timeline: Timeline, colour: str) -> None:
    """A triangle marks each trial's move when it was applied."""
    for action, marker in (("share", "^"), ("release", "v")):
        moves = [move.applied_s for move in timeline.moves if move.action == action]
        if moves:
            axes.plot(
                moves,
                [0.03] * len(moves),
                marker,
                color=colour,
                label=f"{action} applied, {timeline.arm}",
                transform=axes.get_xaxis_transform(),
                markeredgecolor="white",
                markersize=9,
            )
