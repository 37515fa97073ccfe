"""The values of ``results.parquet`` by what was measured: one value per trial."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from testbedctl.analysis.statistics import Measured, effect, measured

if TYPE_CHECKING:
    import pyarrow as pa


class Samples:
    """Values per trial of each (arm, step, quantity, VNF); what was not measured is empty, never 0."""

    def __init__(self, results: pa.Table):
        self._values: dict[tuple[str, int, str, str | None], list[float]] = defaultdict(list)
        self._trials: dict[str, set[int]] = defaultdict(set)
        for row in results.to_pylist():
            self._values[row["arm"], row["step"], row["quantity"], row["vnf"]].append(row["value"])
            self._trials[row["arm"]].add(row["trial"])

    def trials(self, arm: str) -> int:
        """How many complete trials the arm has."""
        return len(self._trials.get(arm, ()))

    def values(self, arm: str, step: int, quantity: str, vnf: str | None = None) -> list[float]:
        """One value per trial that has it."""
        return self._values.get((arm, step, quantity, vnf), [])

    def measured(self, arm: str, step: int, quantity: str, vnf: str | None = None) -> Measured | None:
        """Median and interval over the trials, None if none has the value."""
        values = self.values(arm, step, quantity, vnf)
        return measured(values) if values else None

    def effect(
        self, arms: tuple[str, str], step: int, quantity: str, vnf: str | None, family: int = 1
    ) -> Measured | None:
        """Difference between the arms (second − first), None if one of them was not measured."""
        before, after = (self.values(arm, step, quantity, vnf) for arm in arms)
        return effect(before, after, family) if before and after else None
