"""Figures of a run: 14a/b and 15a/b of the predictive-slicing paper, and throughput."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

from testbedctl.analysis.comparison import BASELINE
from testbedctl.render.drawing import COLOURS, GREY, Draw, Drawing
from testbedctl.report.wording import sharing_arm, shown_pair
from testbedctl.units import mbps, percent

if TYPE_CHECKING:
    from testbedctl.analysis.statistics import Measured
    from testbedctl.analysis.timeline import Timeline
    from testbedctl.report.document import ArmReport, Report


def figures_of(report: Report, timelines: Sequence[Timeline]) -> list[Drawing]:
    """Every figure for which the run has the data: 14 needs the arm ``none``, 15 an arm that shared."""
    return [*_figure_14(report), *_figure_15(report), *_throughput(report, timelines)]


def _on_axes(draw: Callable[[Any], None]) -> Draw:
    """A drawing that is one pair of axes."""
    return lambda canvas: draw(canvas.add_subplot())


def _figure_14(report: Report) -> Iterator[Drawing]:
    arm = report.arm(BASELINE)
    for key in report.exhausted[:1] if arm else []:
        dpi = report.vnfs[key].dpi or "off"
        for letter, attribute, of in (("a", "slice_cpu_ratio", "slice"), ("b", "vnf_cpu_ratio", "quota")):
            caption = f"Figure 14{letter}: CPU of {key} standing alone, DPI {dpi}, % of its {of}"
            yield _cpu_figure(f"figure-14{letter}", caption, report, arm, [("vDPI", key)], attribute)


def _figure_15(report: Report) -> Iterator[Drawing]:
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
) -> Drawing:
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

    return Drawing(name, caption, _on_axes(draw))


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


def _throughput(report: Report, timelines: Sequence[Timeline]) -> Iterator[Drawing]:
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

    yield Drawing("throughput", caption, _on_axes(draw))


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
