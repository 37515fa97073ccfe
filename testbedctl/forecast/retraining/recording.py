"""From raw samples to the usage of each VNF over time, by the definitions that the balancer sees with."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from testbedctl.errors import UsageError
from testbedctl.forecast.protocol.windows import GAP_STEPS
from testbedctl.forecast.series import Series
from testbedctl.ports import RESOURCES
from testbedctl.telemetry.prometheus import Sample
from testbedctl.telemetry.usage import vnf_usage

Believe = Callable[[Iterable[Sample]], list[Sample]]
"""Which samples of a piece can be trusted."""


class _Scrape(NamedTuple):
    unix_s: float
    samples: list[Sample]


class Recording:
    """Usage of VNFs, made of pieces of samples in the order of time.

    ``classes`` has the class label of each VNF: ``T1``, ``T2`` or ``T3``.
    """

    def __init__(self, step_s: float, believe: Believe):
        """``step_s``: seconds between rows; scrapes that come more often are left out."""
        self._step_s, self._believe = step_s, believe
        self._last: dict[str, _Scrape] = {}
        self._rows: dict[str, array[float]] = defaultdict(_doubles)
        self._labs: set[str] = set()
        self.classes: dict[str, str] = {}

    def take(self, samples: Iterable[Sample]) -> None:
        """Add a piece. Raises ``UsageError`` if the samples are of more than one lab."""
        for key, scrapes in self._by_vnf(self._believe(samples)).items():
            for unix_s in sorted(scrapes):
                self._add(key, _Scrape(unix_s, scrapes[unix_s]))

    def series(self) -> list[Series]:
        """One series per VNF that was measured, by name; values are ratios of its allotment."""
        import numpy as np

        tables = {key: np.array(rows).reshape(-1, 1 + len(RESOURCES)) for key, rows in self._rows.items()}
        return [
            Series(key, tables[key][:, 0], tables[key][:, 1:].astype(np.float32)) for key in sorted(tables)
        ]

    def _by_vnf(self, samples: Iterable[Sample]) -> Mapping[str, Mapping[float, list[Sample]]]:
        found: dict[str, dict[float, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        for sample in samples:
            labels = sample.labels
            if "service" in labels and "vnf" in labels:
                key = f"{labels['service']}/{labels['vnf']}"
                found[key][sample.unix_s].append(sample)
                self.classes[key] = labels.get("vnf_class", "")
                self._labs.add(labels.get("lab", ""))
        if len(self._labs) > 1:
            raise UsageError(
                f"this Prometheus watches several labs: {', '.join(sorted(self._labs))}",
                hint="name the one that is meant with --lab",
            )
        return found

    def _add(self, key: str, scrape: _Scrape) -> None:
        before = self._last.get(key)
        passed_s = scrape.unix_s - before.unix_s if before else math.inf
        if passed_s < self._step_s - min(0.1 * self._step_s, 0.5):  # a scrape between two steps
            return
        self._last[key] = scrape
        if before is None or passed_s > GAP_STEPS * self._step_s:  # a gap: there is no row without a rate
            return
        usage = vnf_usage([*before.samples, *scrape.samples], scrape.unix_s)[key].usage
        row = [value for value in (usage[resource] for resource in RESOURCES) if value is not None]
        if len(row) == len(RESOURCES):
            self._rows[key].extend((scrape.unix_s, *row))


def _doubles() -> array[float]:
    """A day of one VNF has 86,400 rows of a time and four values: 40 bytes each, and not 260."""
    return array("d")
