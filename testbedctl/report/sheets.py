"""The tables of a report: what stands in them, the same on a terminal and in Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbedctl.ports import HOPS
from testbedctl.report.wording import (
    packets,
    quantity_name,
    rate,
    share,
    shown_pair,
    spread,
)
from testbedctl.units import count, mbps

if TYPE_CHECKING:
    from testbedctl.analysis.comparison import Change, Comparison, StepComparison
    from testbedctl.report.digest import Digest
    from testbedctl.report.document import ArmReport, Report


@dataclass(frozen=True)
class Column:
    """A column: its name, its unit if it has one, and whether it holds text instead of numbers."""

    name: str
    unit: str = ""
    is_text: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table with its title; every cell is ready to be shown."""

    title: str
    columns: list[Column]
    rows: list[list[str]]


def arm_sheet(report: Report, arm: ArmReport) -> Sheet:
    """One arm: a row per step."""
    pair = shown_pair(report)
    columns = [Column("offered", "Mb/s"), Column("sent", "Mb/s"), Column("delivered", "Mb/s")]
    columns += [Column("delivered", "%"), Column("loss", "%")]
    columns += [Column(name, f"% of {of}") for name, _ in pair for of in ("quota", "slice")]
    rows = []
    for step in arm.steps:
        cells = [f"{mbps(step.offered_bps):g}", rate(step.sent_bps), rate(step.delivered_bps)]
        cells += [share(step.delivered_ratio), share(step.loss_ratio, 2)]
        for _, key in pair:
            cells += [share(step.vnf_cpu_ratio[key]), share(step.slice_cpu_ratio[key])]
        rows.append(cells)
    return Sheet(f"Arm {arm.name}, median of {count(arm.trials, 'trial')}", columns, rows)


def change_sheet(comparison: Comparison, changes: list[tuple[StepComparison, Change]]) -> Sheet:
    """One quantity before and after: a row per step. ``changes`` holds at least one."""
    columns = [
        Column("Mb/s"),
        Column(f"before: {comparison.before}"),
        Column(f"after: {comparison.after}"),
        Column("difference"),
        Column("verdict", is_text=True),
    ]
    rows = [
        [
            f"{mbps(step.offered_bps):g}",
            spread(change.before),
            spread(change.after),
            spread(change.difference, signed=True),
            change.verdict,
        ]
        for step, change in changes
    ]
    return Sheet(f"{quantity_name(changes[0][1])}; median [interval]", columns, rows)


def changes_of(comparison: Comparison, quantity: str, vnf: str | None) -> list[tuple[StepComparison, Change]]:
    """The steps in which a quantity was compared, each with its change."""
    return [(step, change) for step in comparison.steps if (change := step.change(quantity, vnf))]


def loss_sheet(report: Report) -> Sheet:
    """Packets lost over the whole trial: a row per hop, a column per arm."""
    columns = [Column("hop", is_text=True), *(Column(arm.name) for arm in report.arms)]
    rows = [[hop.replace("_", " "), *(packets(arm.lost[hop]) for arm in report.arms)] for hop in HOPS]
    return Sheet("Where packets were lost, packets per trial, median", columns, rows)


def move_sheet(digest: Digest) -> Sheet:
    """The first move of each trial."""
    columns = [Column("arm", is_text=True), Column("trial"), Column("at s")]
    columns += [Column(name, is_text=True) for name in ("action", "VNF", "CPU")] + [Column("took s")]
    rows = [[s.arm, s.trial, s.at, s.action, s.moved, s.why, s.applied] for s in digest.shown]
    return Sheet("First move of each trial", columns, rows)
