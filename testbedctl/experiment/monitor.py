"""The balancer's eyes: one observation per scrape, made of raw samples from Prometheus."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from testbedctl.backends.local.lab import PROMETHEUS_URL, Lab
from testbedctl.errors import RunFailed
from testbedctl.ports import Flow, Observation, ShareInForce, VnfState
from testbedctl.telemetry.prometheus import Sample, samples
from testbedctl.telemetry.usage import vnf_usage

SCRAPE_S = 1.0
WINDOW_S = 3.5
"""Two scrapes, even if one was late."""

LOOK_AGAIN_S = 0.03
SILENCE_LIMIT_S = 3.0
MATCHER = '{__name__=~"vnf_(up|(cpu|memory|storage|network|forwarded)_.+|flow_bytes_total)"}'


class Monitor:
    """Looks at Prometheus right after each scrape. ``flows`` are the cameras of the trial by their id."""

    def __init__(self, lab: Lab, flows: dict[str, Flow]):
        self._lab, self._plan, self._flows = lab, lab.plan, flows
        self._vdpis = {n.key for n in self._plan.of_type("vdpi")}
        self._newest_s = 0.0
        self._next_look_s = 0.0
        self._silent_since_s = time.time()

    def look(self, shares: Sequence[ShareInForce], paths: dict[str, str]) -> Observation | None:
        """What was scraped last, or None if nothing new was; cheap between scrapes.

        ``paths`` is the vDPI that serves each camera now. Raises ``RunFailed`` if telemetry fell silent.
        """
        now_s = time.time()
        if now_s < self._next_look_s:
            return None
        with self._lab.inside_management():
            found = samples(PROMETHEUS_URL, MATCHER, WINDOW_S)
        newest_s = self._newest(found)
        if newest_s <= self._newest_s:
            self._next_look_s = now_s + LOOK_AGAIN_S
            if now_s - max(self._newest_s, self._silent_since_s) > SILENCE_LIMIT_S:
                raise RunFailed(
                    f"no samples of the vDPIs for {now_s - self._newest_s:.1f} s",
                    hint="see the logs of prometheus",
                )
            return None
        self._newest_s = newest_s
        self._next_look_s = newest_s + SCRAPE_S + LOOK_AGAIN_S / 2
        vnfs = self._vnfs(found, now_s, {s.target for s in shares})
        return Observation(
            at_s=newest_s,
            age_s=now_s - newest_s,
            vnfs=vnfs,
            flows=self._measured(found, paths),
            shares=tuple(shares),
        )

    def _newest(self, found: list[Sample]) -> float:
        """Up to when *all* vDPIs have been sampled; 0 if one has no samples at all."""
        newest: dict[str, float] = dict.fromkeys(self._vdpis, 0.0)
        for sample in found:
            key = f"{sample.labels.get('service')}/{sample.labels.get('vnf')}"
            if sample.metric == "vnf_cpu_seconds_total" and key in newest:
                newest[key] = max(newest[key], sample.unix_s)
        return min(newest.values())

    def _vnfs(self, found: list[Sample], now_s: float, lending: set[str]) -> dict[str, VnfState]:
        states = {}
        for key, measured in vnf_usage(found, now_s).items():
            vnf = self._plan.vnfs[key]
            if key in self._vdpis and not measured.up:
                raise RunFailed(
                    f"{key} cannot be measured any more", hint="see the log of its domain's agent"
                )
            states[key] = VnfState(
                key=key,
                service=vnf.service,
                function=vnf.spec.type,
                vnf_class=vnf.spec.vnf_class,
                domain=vnf.spec.domain,
                usage={name: value for name, value in measured.usage.items() if value is not None},
                thresholds=vnf.thresholds.model_dump(),
                cpu_quota_cores=vnf.flavour.vcpus,
                share_limit=vnf.sla.share_limit,
                processed_bps=measured.processed_bps or 0.0,
                state="sharing" if key in lending else "normal",
            )
        return states

    def _measured(self, found: list[Sample], paths: dict[str, str]) -> tuple[Flow, ...]:
        """The cameras with their rates as the vAN's switch counted them."""
        points: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for sample in found:
            if sample.metric == "vnf_flow_bytes_total":
                points[sample.labels["source"], sample.labels["destination"]].append(
                    (sample.unix_s, sample.value)
                )
        return tuple(
            replace(flow, path=paths[flow.id], rate_bps=_rate_bps(points[flow.source, flow.destination]))
            for flow in self._flows.values()
        )


def _rate_bps(points: list[tuple[float, float]]) -> float:
    """Bits per second between the two newest points of a byte counter; 0 before a camera has any."""
    if len(points) < 2:
        return 0.0
    (before_s, before), (after_s, after) = sorted(points)[-2:]
    return max(0.0, after - before) * 8 / (after_s - before_s)
