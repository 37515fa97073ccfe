"""Figures of an evaluation: forecast against truth, error by horizon, calibration, error over windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from testbedctl.forecast.evaluation.paper import by_window
from testbedctl.forecast.evaluation.result import PERSISTENCE, Contestant, Judgement
from testbedctl.ports import RESOURCES
from testbedctl.render.drawing import COLOURS, GREY, Drawing
from testbedctl.units import count

if TYPE_CHECKING:
    from testbedctl.forecast.evaluation.trace import Trace

_TITLES = dict(zip(RESOURCES, ("CPU", "RAM", "storage (write rate)", "network"), strict=True))
_DASHES = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))


def _space(units: str) -> str:
    """The judged space, in a caption."""
    return "scaled per VM, clipped to [0, 1]" if units == "trace" else "as ratios of the allotment"


def figures_of(judgement: Judgement, traces: Sequence[Trace]) -> list[Drawing]:
    """Every figure for which there are data; names carry the data set's own."""
    suffix = _stem(judgement.dataset)
    drawings = [trace_figure(each, f"forecast-{suffix}-{_stem(each.vm)}") for each in traces]
    drawings.append(error_figure(judgement, f"error-{suffix}"))
    if any(row.quantiles for row in judgement.contestants):
        drawings.append(calibration_figure(judgement, f"calibration-{suffix}"))
    if len(by_window(judgement)) > 2:
        drawings.append(windows_figure(judgement, f"windows-{suffix}"))
    return drawings


def trace_figure(trace: Trace, name: str) -> Drawing:
    """Truth and forecasts one step ahead, a panel for each resource."""

    def draw(canvas: Any) -> None:
        import numpy as np

        steps = trace.first + np.arange(len(trace.truth))
        panels = canvas.subplots(len(RESOURCES), 1, sharex=True)
        for resource, (axes, title) in enumerate(zip(panels, _TITLES.values(), strict=True)):
            axes.plot(steps, trace.truth[:, resource], color="#aaaaaa", linewidth=3.5, label="truth")
            for (label, values), colour in zip(trace.forecasts.items(), COLOURS, strict=False):
                axes.plot(steps, values[:, resource], color=colour, linewidth=1.2, label=label)
            axes.set_title(title)
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        panels[0].set_xlim(steps[0], steps[-1])
        panels[-1].locator_params(axis="x", integer=True)
        panels[-1].set_xlabel(f"step of the judged part ({trace.step_s:g} s each)")
        canvas.supylabel(f"usage, {_space(trace.units)}", fontsize=10)
        handles, labels = panels[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper left", ncols=len(labels))

    caption = f"VM {trace.vm}: forecasts one step ahead against the truth, the stretch that changes most"
    return Drawing(name, caption, draw, (7.2, 8.0))


def error_figure(judgement: Judgement, name: str) -> Drawing:
    """The error of every contestant over the steps ahead; bars where all look one step ahead."""
    rows = [row for row in judgement.contestants if row.errors]
    vms = count(len(judgement.vms), "VM")
    caption = f"Error of the forecasts on {judgement.dataset}, {vms}, {_space(judgement.units)}"
    if judgement.horizon == 1:
        return Drawing(name, caption, lambda canvas: _bars(canvas, rows), (6.4, 0.9 + 0.42 * len(rows)))

    def draw(canvas: Any) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = canvas.add_subplot()
        for row, style in _styled(rows):
            axes.plot([e.ahead for e in row.errors], [e.mean for e in row.errors], label=row.name, **style)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(f"steps ahead ({judgement.step_s:g} s each)")
        axes.set_ylabel("RMSE, mean of the four resources")
        axes.set_ylim(bottom=0)
        canvas.legend(loc="outside right upper")

    return Drawing(name, caption, draw, (7.6, 4.0))


def calibration_figure(judgement: Judgement, name: str) -> Drawing:
    """The share of steps at or below each forecast quantile against what the quantile promises."""

    def draw(canvas: Any) -> None:
        axes = canvas.add_subplot()
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="as promised")
        rows = [row for row in judgement.contestants if row.quantiles]
        for row, colour, marker in zip(rows, COLOURS, "osD^vP", strict=False):
            points = [(q.quantile, 1 - q.above_all) for q in row.quantiles if q.above_all is not None]
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, label=row.name)
            for nominal, observed in points:
                axes.annotate(
                    f"{observed:.3f}", (nominal, observed), (6, -11), textcoords="offset points", color=colour
                )
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_xlabel("quantile that was forecast")
        axes.set_ylabel("share of steps at or below it")
        axes.legend(loc="upper left")

    caption = f"Calibration on {judgement.dataset}: all resources and steps ahead"
    return Drawing(name, caption, draw, (4.8, 4.6))


def windows_figure(judgement: Judgement, name: str) -> Drawing:
    """The LSTM's error over the length of its window (§7.1), persistence beside it."""
    points = [(row.window or 0, error.mean) for row in by_window(judgement) if (error := row.error(1))]
    persistence = judgement.contestant(PERSISTENCE)
    level = persistence.error(1) if persistence else None

    def draw(canvas: Any) -> None:
        axes = canvas.add_subplot()
        lengths = [length for length, _ in points]
        axes.plot(*zip(*points, strict=True), marker="o", color=COLOURS[0], label="LSTM of the paper")
        if level:
            axes.axhline(level.mean, color=GREY, linestyle="--", linewidth=1.2, label=PERSISTENCE)
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        axes.set_xlabel(f"past steps that the model sees ({judgement.step_s:g} s each)")
        axes.set_ylabel("RMSE one step ahead, mean of four")
        axes.set_ylim(0, 1.1 * max([rmse for _, rmse in points] + ([level.mean] if level else [])))
        axes.legend(loc="lower left")

    return Drawing(
        name, f"Error over the length of the window, {judgement.dataset}, {_space(judgement.units)}", draw
    )


def _bars(canvas: Any, rows: Sequence[Contestant]) -> None:
    axes = canvas.add_subplot()
    shown = [(row, error) for row in rows if (error := row.error(1))][::-1]
    colours = [GREY if row.kind == "baseline" else COLOURS[0] for row, _ in shown]
    bars = axes.barh([row.name for row, _ in shown], [error.mean for _, error in shown], color=colours)
    axes.bar_label(bars, [f" {error.mean:.4f}" for _, error in shown])
    axes.grid(axis="y", visible=False)
    axes.set_xlim(right=1.15 * max(error.mean for _, error in shown))
    axes.set_xlabel("RMSE one step ahead, mean of the four resources")


def _styled(rows: Sequence[Contestant]) -> Iterator[tuple[Contestant, dict[str, Any]]]:
    """Models in colours with markers, baselines grey and dashed."""
    models = [row for row in rows if row.kind != "baseline"]
    others = [row for row in rows if row.kind == "baseline"]
    for row, colour, marker in zip(models, COLOURS, "osD^vP", strict=False):
        yield row, {"color": colour, "marker": marker}
    for row, dashes in zip(others, _DASHES, strict=False):
        yield row, {"color": GREY, "linestyle": dashes, "linewidth": 1.4}


def _stem(name: str) -> str:
    """A name as a part of a file's: VM names hold slashes."""
    return (
        "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip(".-") or "x"
    )
