"""A description as tables, as sentences, and as a JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from testbedctl.forecast.dataset.description import QUANTILES, Description, strength
from testbedctl.forecast.dataset.features import NEEDED, shown_name
from testbedctl.units import count, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAME = 0.95
"""Two features that go together so closely tell one thing."""

MOSTLY = 0.5
_LEGEND = "Features: * kept for forecasts; zero: of rows; steady: of VMs (varies by ≤ 1 %)"


def document(found: Description) -> dict[str, Any]:
    """Everything; a correlation that does not exist is null."""
    names = list(found.spreads)
    return {
        "manifest": found.manifest.model_dump(mode="json", by_alias=True),
        "features": {
            name: {
                "mean": spread.mean,
                "median": spread.quantiles[QUANTILES.index(0.5)],
                "quantiles": dict(zip(map(str, QUANTILES), spread.quantiles, strict=True)),
                "min": spread.low,
                "max": spread.high,
                "zeros_share": spread.zeros,
                "steady_vms_share": spread.steady_vms,
            }
            for name, spread in found.spreads.items()
        },
        "kept": found.kept,
        "not_in_every_vm": list(found.partial),
        "correlations": {
            "features": names,
            "rows": found.rows,
            "pooled_over_vms": _nested(found.pooled),
            "median_within_vm": _nested(found.within),
        },
        "findings": list(findings(found)),
    }


def tables(found: Description) -> Iterator[tuple[str, Table]]:
    """The spread of each feature, both correlation matrices, and what goes with the network throughput, each
    with a line to stand above it."""
    yield _LEGEND, _spreads(found)
    yield "Pearson's r over all rows of all VMs", _matrix(found.pooled)
    yield "Pearson's r within a VM, median over the VMs", _matrix(found.within)
    yield "Correlation with the network throughput", _with_network(found)


def findings(found: Description) -> Iterator[str]:
    """Whether the paper's reason for its four features holds here (§4), and what else speaks for them.

    The paper finds "moderate" correlations of the network throughput with CPU (MHz), RAM (KB) and storage
    (write KB/s), without numbers.
    """
    three = [found.kept[resource] for resource in ("cpu", "ram", "storage")]
    both = [found.with_network(name) for name in three]
    pooled, within = (sum(strength(r) == "moderate" for r in each) for each in zip(*both, strict=True))
    yield (
        "The paper (§4) keeps CPU MHz, RAM KB and disk write KB/s because their correlation with the network "
        f"throughput is moderate. Here it is moderate (0.3 to 0.7) for {pooled} of the three over all rows, "
        f"and for {within} of the three within a VM: {_verdict(pooled, within)}."
    )
    yield f"The correlations count {found.rows} of {count(found.manifest.rows, 'row')}{_without(found)}."
    still = [shown_name(n) for n, spread in found.spreads.items() if spread.steady_vms >= MOSTLY]
    if still:
        shown = ", ".join(still)
        yield f"Nothing to forecast, as they vary by 1 % or less in half of the VMs or more: {shown}."
    if same := list(_same(found)):
        yield f"Left out because a kept feature tells the same within a VM: {'; '.join(same)}."


def _without(found: Description) -> str:
    names = ", ".join(shown_name(name) for name in found.partial)
    return f"; not in every VM, and left out: {names}" if names else ""


def _verdict(pooled: int, within: int) -> str:
    if pooled == within == 3:
        return "the reason holds on this data set"
    if pooled == within == 0:
        return "the reason does not hold on this data set"
    return "the reason holds in part on this data set"


def _same(found: Description) -> Iterator[str]:
    """Features that go with a kept one as if they were it."""
    names, kept = list(found.spreads), set(found.kept.values())
    used = kept | set(NEEDED[found.manifest.units])
    for row, name in enumerate(names):
        for column, other in enumerate(names):
            r = found.within[row, column]
            if name not in used and other in kept and abs(r) >= SAME:
                yield f"{shown_name(name)} ({shown_name(other)}, r = {r:.2f})"


def _spreads(found: Description) -> Table:
    table = _table("#", "feature", "mean", "median", "5 %", "95 %", "zero", "steady")
    for number, (name, spread) in enumerate(found.spreads.items(), 1):
        low, middle, high = (spread.quantiles[QUANTILES.index(q)] for q in (0.05, 0.5, 0.95))
        values = (f"{value:.4g}" for value in (spread.mean, middle, low, high))
        shares = (f"{percent(share):.0f} %" for share in (spread.zeros, spread.steady_vms))
        mark = " *" if name in found.kept.values() else ""
        table.add_row(str(number), shown_name(name) + mark, *values, *shares)
    return table


def _matrix(matrix: NDArray[np.float64]) -> Table:
    """Features by their number: thirteen names are wider than a terminal."""
    table = _table("#", *(str(number) for number in range(1, len(matrix) + 1)))
    for number, row in enumerate(matrix, 1):
        table.add_row(str(number), *(_r(value) for value in row[:number]))
    return table


def _with_network(found: Description) -> Table:
    table = _table("feature", "over all rows", "", "within a VM", "")
    for name in found.spreads:
        if name != found.kept["network"]:
            pooled, within = found.with_network(name)
            mark = " *" if name in found.kept.values() else ""
            told = (_r(pooled), strength(pooled), _r(within), strength(within))
            table.add_row(shown_name(name) + mark, *told)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="left" if name in ("feature", "") else "right", no_wrap=True)
    return table


def _r(value: float) -> str:
    return f"{value:z.2f}".replace("0.", ".", 1) if np.isfinite(value) else "–"


def _nested(matrix: NDArray[np.float64]) -> list[list[float | None]]:
    return [[float(value) if np.isfinite(value) else None for value in row] for row in matrix]
