"""The balancer's eyes: one observation per scrape, made of raw samples from Prometheus."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from testbedctl.backends.local.lab import PROMETHEUS_URL, Lab
from testbedctl.errors import RunFailed
from testbedctl.experiment.scrapes import DURATION, believed
from testbedctl.ports import Flow, Observation, ShareInForce, VnfState
from testbedctl.telemetry.prometheus import Sample, samples
from testbedctl.telemetry.usage import vnf_usage

SCRAPE_S = 1.0
WINDOW_S = 3.5
"""Two scrapes, even if one was late."""

LOOK_AGAIN_S = 0.03
SILENCE_LIMIT_S = 3.0
VNF_METRICS = "vnf_(up|(cpu|memory|storage|network|forwarded)_.+|flow_bytes_total)"
MATCHER = f'{{__name__=~"{VNF_METRICS}|{DURATION}"}}'


class Monitor:
    """Looks at Prometheus right after each scrape. ``flows`` are the cameras of the trial by their id."""

    def __init__(self, lab: Lab, flows: dict[str, Flow]):
        self._lab, self._plan, self._flows = lab, lab.plan, flows
        self._vdpis = {n.key for n in self._plan.of_type("vdpi")}
        self._newest_s = 0.0
        self._next_look_s = 0.0
        self._sampled_s = dict.fromkeys(self._plan.vnfs, 0.0)
        self._readable_s = dict.fromkeys(self._plan.vnfs, 0.0)
        self._silent_since_s = time.time()

    def look(
        self, shares: Sequence[ShareInForce], paths: Callable[[], Mapping[str, str]]
    ) -> Observation | None:
        """What was scraped last, or None if nothing new was; cheap between scrapes.

        ``paths`` gives the vDPI that serves each camera now. A slow scrape is no observation. Raises
        ``RunFailed`` if any VNF has not been measured for some seconds.
        """
        now_s = time.time()
        if now_s < self._next_look_s:
            return None
        with self._lab.inside_management():
            found = believed(samples(PROMETHEUS_URL, MATCHER, WINDOW_S))
        self._take_note(found)
        self._refuse_silence(now_s)
        newest_s = min(self._sampled_s[vdpi] for vdpi in self._vdpis)
        if newest_s <= self._newest_s:
            self._next_look_s = now_s + LOOK_AGAIN_S
            return None
        self._newest_s = newest_s
        self._next_look_s = newest_s + SCRAPE_S + LOOK_AGAIN_S / 2
        return Observation(
            at_s=newest_s,
            age_s=now_s - newest_s,
            vnfs=self._vnfs(found, now_s, {s.target for s in shares}),
            flows=self._measured(found, paths()),
            shares=tuple(shares),
        )

    def _take_note(self, found: list[Sample]) -> None:
        """When each VNF was sampled last, and when all of its sources could be read last."""
        for sample in found:
            key = f"{sample.labels.get('service')}/{sample.labels.get('vnf')}"
            if key not in self._sampled_s:
                continue
            if sample.metric == "vnf_cpu_seconds_total":
                self._sampled_s[key] = max(self._sampled_s[key], sample.unix_s)
            elif sample.metric == "vnf_up" and sample.value == 1:
                self._readable_s[key] = max(self._readable_s[key], sample.unix_s)

    def _refuse_silence(self, now_s: float) -> None:
        silent = self._overdue(self._sampled_s, now_s)
        if silent:
            domains = dict.fromkeys(self._plan.vnfs[key].spec.domain for key in silent)
            raise RunFailed(
                f"no samples from the monitoring agent of {' and '.join(domains)} for "
                f"{max(silent.values()):.1f} s: {', '.join(silent)}",
                hint="see the logs of the agent and of prometheus",
            )
        unread = self._overdue(self._readable_s, now_s)
        if unread:
            raise RunFailed(
                f"{', '.join(unread)} cannot be wholly measured since {max(unread.values()):.1f} s",
                hint="see the log of the domain's agent",
            )

    def _overdue(self, last_s: Mapping[str, float], now_s: float) -> dict[str, float]:
        """The VNFs that were last noted too long ago, and how long that is."""
        waited_s = {key: now_s - max(at_s, self._silent_since_s) for key, at_s in last_s.items()}
        return {key: for_s for key, for_s in waited_s.items() if for_s > SILENCE_LIMIT_S}

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

    def _measured(self, found: list[Sample], paths: Mapping[str, str]) -> tuple[Flow, ...]:
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
