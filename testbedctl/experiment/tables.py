"""The tables of a trial, from what was gathered (``docs/reference/run-format.md``)."""

from __future__ import annotations

import itertools
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from testbedctl.backends.local.lab import PROMETHEUS_URL, Lab
from testbedctl.backends.local.plan import Plan
from testbedctl.errors import RunFailed
from testbedctl.experiment.counters import Mark
from testbedctl.experiment.drops import DropWatch
from testbedctl.experiment.scrapes import believed
from testbedctl.ports import HOPS
from testbedctl.telemetry.prometheus import Sample, export
from testbedctl.telemetry.usage import vnf_usage
from testbedctl.traffic.hops import attribute
from testbedctl.traffic.schedule import Schedule

BEFORE_S = 2.0
"""Telemetry from so long before the trial is kept, so that its first second has a rate."""

Row = dict[str, Any]


class TrialTables:
    """Rows of every table. ``flows`` are those of ``flows.parquet``."""

    def __init__(self, plan: Plan, schedule: Schedule, flows: list[Row], started_unix_s: float):
        self._plan, self._schedule, self.flows = plan, schedule, flows
        self._started_unix_s = started_unix_s
        self._services = sorted({c.service for c in schedule.cameras})

    def steps(self) -> list[Row]:
        """Per step and service: offered, sent, delivered, lost."""
        rows = []
        for step in self._schedule.steps:
            seconds = step.end_s - step.start_s
            for service in self._services:
                its = [f for f in self.flows if f["step"] == step.step and f["service"] == service]
                sent = sum(f["sent_bytes"] for f in its)
                delivered = sum(f["delivered_bytes"] for f in its)
                jitters = [f["jitter_s"] for f in its if f["jitter_s"] is not None]
                rows.append(
                    {
                        "step": step.step,
                        "service": service,
                        "start_s": step.start_s,
                        "end_s": step.end_s,
                        "offered_bps": self._offered_bps(service, step.start_s, step.end_s),
                        "sent_bps": sent * 8 / seconds,
                        "delivered_bps": delivered * 8 / seconds,
                        "loss_ratio": 1 - delivered / sent if sent else None,
                        "jitter_s": statistics.median(jitters) if jitters else None,
                    }
                )
        return rows

    def telemetry(self, lab: Lab, ended_unix_s: float) -> list[Sample]:
        """All raw samples of the trial."""
        with lab.inside_management():
            return export(PROMETHEUS_URL, self._started_unix_s - BEFORE_S, ended_unix_s)

    @staticmethod
    def telemetry_rows(samples: Iterable[Sample]) -> list[Row]:
        """Rows of ``telemetry.parquet``."""
        return [
            {
                "unix_s": s.unix_s,
                "metric": s.metric,
                "labels": json.dumps(dict(s.labels), sort_keys=True),
                "value": s.value,
            }
            for s in sorted(samples, key=lambda s: (s.metric, sorted(s.labels.items()), s.unix_s))
        ]

    def vnfs(self, samples: Iterable[Sample]) -> list[Row]:
        """Per VNF and scrape within the trial: usage since the scrape before. Slow scrapes are left out."""
        by_vnf: dict[str, dict[float, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        for sample in believed(samples):
            if "vnf" in sample.labels and "service" in sample.labels:
                by_vnf[f"{sample.labels['service']}/{sample.labels['vnf']}"][sample.unix_s].append(sample)
        rows = [
            row for key in sorted(by_vnf) if key in self._plan.vnfs for row in self._vnf(key, by_vnf[key])
        ]
        return [row for row in rows if 0 <= row["at_s"] <= self._schedule.duration_s + 1]

    def _vnf(self, key: str, at: dict[float, list[Sample]]) -> Iterable[Row]:
        times = sorted(at)
        plan = self._plan.vnfs[key]
        for before_s, unix_s in itertools.pairwise(times):
            measured = vnf_usage([*at[before_s], *at[unix_s]], unix_s).get(key)
            if measured is None:
                continue
            at_s = unix_s - self._started_unix_s
            cpu = measured.usage["cpu"]
            yield {
                "at_s": at_s,
                "step": self._step_of(before_s - self._started_unix_s, at_s),
                "vnf": key,
                "cpu_ratio": cpu,
                "slice_cpu_ratio": None if cpu is None else cpu * plan.flavour.vcpus / plan.slice_cpu_cores,
                "ram_ratio": measured.usage["ram"],
                "storage_ratio": measured.usage["storage"],
                "network_ratio": measured.usage["network"],
                "throttled_ratio": measured.throttled_ratio,
                "processed_bps": measured.processed_bps,
            }

    def _step_of(self, from_s: float, to_s: float) -> int:
        """The step in which all of a time lies; 0 if there is none."""
        steps = self._schedule.steps
        return next((s.step for s in steps if s.start_s <= from_s and to_s <= s.end_s), 0)

    def hops(self, marks: Sequence[Mark], drops: DropWatch, *, counted: bool) -> list[Row]:
        """Where packets were lost, per service: of the whole trial (step 0) and of each step.

        ``marks`` are the borders of the steps. TCP numbers no packets, so with ``counted`` off no hop was
        measured. Raises ``RunFailed`` if the counters contradict each other.
        """
        spans = [(0, marks[0], marks[-1])]
        spans += [(s.step, a, b) for s, a, b in zip(self._schedule.steps, marks[:-1], marks[1:], strict=True)]
        return [
            {"step": step, "service": service, "hop": hop, "packets": packets}
            for step, before, after in spans
            for service in self._services
            for hop, packets in (
                self._lost(step, service, before, after, drops) if counted else dict.fromkeys(HOPS)
            ).items()
        ]

    def _lost(
        self, step: int, service: str, before: Mark, after: Mark, drops: DropWatch
    ) -> dict[str, int | None]:
        sent, delivered = self._packets(service, step)
        samples = drops.samples(service, before.at_s, after.at_s)
        try:
            return dict(attribute(before.ways[service], after.ways[service], sent, delivered, samples))
        except ValueError as error:
            raise RunFailed(f"the losses of {service} cannot be told apart: {error}") from error

    def _packets(self, service: str, step: int) -> tuple[int, int]:
        its = [f for f in self.flows if f["service"] == service and step in (0, f["step"])]
        return sum(f["sent_packets"] for f in its), sum(f["delivered_packets"] for f in its)

    def _offered_bps(self, service: str, start_s: float, end_s: float) -> float:
        bits = sum(
            c.rate_bps * max(0.0, min(c.stop_s, end_s) - max(c.start_s, start_s))
            for c in self._schedule.cameras
            if c.service == service
        )
        return bits / (end_s - start_s)
