"""How a report says a number, a verdict and a host, the same in every format."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from testbedctl.analysis.comparison import JUDGED
from testbedctl.units import mbps, percent

if TYPE_CHECKING:
    from testbedctl.analysis.comparison import Change, Comparison
    from testbedctl.analysis.statistics import Measured
    from testbedctl.report.document import ArmReport, Report

NOT_MEASURED = "–"
"""Stands where a value was not measured; never 0."""

QUANTITY_NAMES = {
    "delivered_ratio": "Delivered, % of offered",
    "settled_delivered_ratio": "Delivered after the step's last move, % of offered",
    "loss_ratio": "Lost, % of sent",
    "others_loss_ratio": "Lost by all other services, % of sent",
    "vnf_cpu_ratio": "CPU of {vnf}, % of quota",
}


def rate(value: Measured | None) -> str:
    """Median in Mb/s."""
    return NOT_MEASURED if value is None else f"{mbps(value.median):.1f}"


def share(value: Measured | None, digits: int = 1) -> str:
    """Median in per cent."""
    return NOT_MEASURED if value is None else f"{percent(value.median):.{digits}f}"


def spread(value: Measured | None, *, signed: bool = False) -> str:
    """Median in per cent with its interval: ``41.2 [40.8, 43.0]``."""
    if value is None:
        return "not measured"
    sign = "+" if signed else ""
    median, low, high = (
        f"{percent(part) + 0.0:{sign}.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")
        for part in (value.median, value.low, value.high)
    )
    return f"{median} [{low}, {high}]"


def packets(value: Measured | None) -> str:
    """Median number of packets."""
    return NOT_MEASURED if value is None else f"{value.median:.0f}"


def quantity_name(change: Change) -> str:
    """A quantity as the title of a before/after table."""
    return QUANTITY_NAMES[change.quantity].format(vnf=change.vnf)


def quantities(comparison: Comparison) -> list[tuple[str, str | None]]:
    """Quantity and VNF of everything that is compared, in the order in which reports show it."""
    return [(change.quantity, change.vnf) for change in comparison.steps[0].changes]


def judgement(report: Report) -> tuple[list[str], list[str]]:
    """What is worse, and what could not be decided, each as sentences; for ``--fail-on worse``."""
    worse: list[str] = []
    unknown: list[str] = []
    for comparison in report.comparison:
        for step in comparison.steps:
            for change in step.changes:
                if change.quantity not in JUDGED or change.verdict in ("better", "no difference"):
                    continue
                sentence = (
                    f"{comparison.after}, step {step.step} ({mbps(step.offered_bps):g} Mb/s), "
                    f"{quantity_name(change)}: {change.verdict} ({spread(change.judged, signed=True)})"
                )
                (worse if change.verdict == "worse" else unknown).append(sentence)
    return worse, unknown


def host_lines(host: dict[str, Any]) -> list[str]:
    """The host's fingerprint in three lines: machine, programs, settings."""
    machine = [
        _named("", host, "cpu_model"),
        _named("", host, "cores", " cores"),
        _named("kernel ", host, "kernel"),
        _named("governor ", host, "governor"),
    ]
    programs = [
        _named("Open vSwitch ", host, "openvswitch"),
        _named("datapath ", host, "datapath"),
        _named("cgroup ", host, "cgroup"),
        _named("iperf3 ", host, "iperf3"),
        _named("Prometheus ", host, "prometheus"),
    ]
    settings = [*_pairs(host.get("sysctls")), *_pairs(host.get("offloads"))]
    lines = [", ".join(part for part in parts if part) for parts in (machine, programs, settings)]
    return [line for line in lines if line]


def _named(before: str, host: dict[str, Any], key: str, after: str = "") -> str:
    return "" if host.get(key) is None else f"{before}{host[key]}{after}"


def _pairs(values: dict[str, Any] | None) -> list[str]:
    return [f"{key} {value}" for key, value in sorted((values or {}).items())]


def shown_pair(report: Report) -> list[tuple[str, str]]:
    """The VNFs of the tables' CPU columns, with the paper's names (§8.3): vDPI-exhausted, vDPI-shared.

    Shared is the other service's vDPI that took most shares, or the first one if none did.
    """
    taken = Counter(d.target for arm in report.arms for d in arm.decisions if d.action == "share")
    shared = max(report.shared, key=lambda key: taken[key], default=None)
    exhausted = report.exhausted[0] if report.exhausted else None
    pairs = [("vDPI-exhausted", exhausted), ("vDPI-shared", shared)]
    return [(name, key) for name, key in pairs if key is not None]


def sharing_arm(report: Report) -> ArmReport | None:
    """The first arm that shared, whose CPU Figure 15 shows."""
    return next((arm for arm in report.arms if any(d.action == "share" for d in arm.decisions)), None)
