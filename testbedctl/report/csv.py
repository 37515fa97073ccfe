"""The report as CSV: one row per arm, step, quantity and VNF, for a spreadsheet or a data frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbedctl.analysis.statistics import Measured
    from testbedctl.report.document import ArmReport, Report, StepReport

COLUMNS = [
    "run",
    "arm",
    "trials",
    "step",
    "offered_bps",
    "quantity",
    "vnf",
    "unit",
    "median",
    "low",
    "high",
    "n",
    "interval",
]

_PLAIN = (
    "sent_bps",
    "delivered_bps",
    "loss_ratio",
    "delivered_ratio",
    "settled_delivered_ratio",
    "others_loss_ratio",
    "jitter_s",
)
_UNITS = {"bps": "bit/s", "s": "s", "ratio": "1"}
"""Unit of ``median``, ``low`` and ``high`` by the last word of the quantity's name."""

_PER_VNF = ("vnf_cpu_ratio", "slice_cpu_ratio", "throttled_ratio")


def text(report: Report) -> str:
    """The measured values of every arm; one that was not measured has empty cells and ``n`` 0."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for arm in report.arms:
        for step in arm.steps:
            for quantity, vnf, value in _values(step):
                writer.writerow(
                    [report.run, *_place(arm, step), quantity, vnf, _unit(quantity), *_cells(value)]
                )
    return stream.getvalue()


def _place(arm: ArmReport, step: StepReport) -> tuple[object, ...]:
    return arm.name, arm.trials, step.step, step.offered_bps


def _values(step: StepReport) -> Iterator[tuple[str, str, Measured | None]]:
    for quantity in _PLAIN:
        yield quantity, "", getattr(step, quantity)
    for quantity in _PER_VNF:
        for vnf, value in getattr(step, quantity).items():
            yield quantity, vnf, value
    for hop, value in step.lost.items():
        yield f"lost_{hop}_packets", "", value


def _unit(quantity: str) -> str:
    word = quantity.rpartition("_")[2]
    return _UNITS.get(word, word)


def _cells(value: Measured | None) -> tuple[object, ...]:
    if value is None:
        return "", "", "", 0, ""
    return value.median, value.low, value.high, value.n, value.interval
