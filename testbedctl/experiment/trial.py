"""One trial: a schedule under one policy, measured from before its first packet to after its last."""

from __future__ import annotations

import math
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from testbedctl.backends.local.lab import Lab
from testbedctl.errors import RunFailed
from testbedctl.experiment.actuator import KINDS, Actuator, Applied
from testbedctl.experiment.counters import INSPECTED_AT_LEAST, CounterReader, DropWatch, Snapshot
from testbedctl.experiment.monitor import Monitor
from testbedctl.experiment.noise import NoiseWatch
from testbedctl.experiment.tables import TrialTables
from testbedctl.ports import Flow, Observation, Policy, Release
from testbedctl.records.manifest import Planned
from testbedctl.records.run import TrialWriter
from testbedctl.spec.profile import Profile
from testbedctl.traffic.generator import Generator, Tool
from testbedctl.traffic.generator import Observer as TrafficObserver
from testbedctl.traffic.iperf import Iperf
from testbedctl.traffic.replay import Replay
from testbedctl.traffic.schedule import Schedule, warm_up

TICK_S = 0.01
ENGINE_SETTLES_WITHIN_S = 6.0
COOKIE_BITS = 48
LEAST_FREE_BYTES = 65_536
"""With less than this on the disk, an output that is cut short was cut by the disk."""


@dataclass(frozen=True)
class Outcome:
    """Whether a trial counts, and what is to be said of it."""

    valid: bool
    cause: str = ""
    warnings: tuple[str, ...] = ()


class Observer(TrafficObserver, Protocol):
    """Sees how a run goes; a progress display is one."""

    def trial_begun(self, planned: Planned, of: int) -> None:
        """A trial begins, ``of`` so many."""

    def decided(self, sentence: str) -> None:
        """The policy did something."""

    def trial_ended(self, outcome: Outcome) -> None:
        """A trial has ended."""


@dataclass
class Measured:
    """What the loop has gathered. Times are Unix seconds."""

    started_unix_s: float
    ended_unix_s: float
    before: Snapshot
    after: Snapshot
    at_steps: list[Snapshot]
    inspected_before: Mapping[str, int]
    inspected_after: Mapping[str, int]
    decisions: list[dict[str, Any]] = field(default_factory=list)


class Trial:
    """Runs one trial on a lab and writes everything about it."""

    def __init__(
        self,
        lab: Lab,
        profile: Profile,
        schedule: Schedule,
        policy: Policy,
        writer: TrialWriter,
        observer: Observer,
    ):
        self._lab, self._profile, self._schedule = lab, profile, schedule
        self._policy, self._writer, self._observer = policy, writer, observer
        self._flows = {
            c.camera: self._flow(c.camera, c.service, c.source, c.destination) for c in schedule.cameras
        }
        self._actuator = Actuator(lab.controller(), lab.plan, self._flows, secrets.randbits(COOKIE_BITS))
        self._reader = CounterReader(lab)
        self._drops = DropWatch(self._reader)
        group = lab.hierarchy.controller("cpuacct", lab.plan.group)
        self._noise = NoiseWatch(lab.hierarchy.version, group)

    def run(self) -> Outcome:
        """Warm up, measure, drain, check, write. The lab's rules are as before, whatever happens."""
        try:
            self._actuator.install_cameras()
            self._warm_up()
            measured, rows = self._measure()
        except RunFailed as error:
            # a program that has ended, or a full disk, explains what failed after it
            self._check_programs(error)
            self._check_disk(error)
            raise
        finally:
            self._clear()
        return self._record(measured, rows)

    def _flow(self, camera: str, service: str, source: str, destination: str) -> Flow:
        home = self._lab.plan.services[service].vdpi
        return Flow(camera, service, source, destination, home=home, path=home, rate_bps=0.0)

    def _tool(self) -> Tool:
        if self._profile.traffic == "pcap":
            return Replay(Path(self._profile.pcap or ""))
        return Iperf(self._profile.traffic, self._profile.datagram_bytes)

    def _generator(self, schedule: Schedule, directory: Path, observer: TrafficObserver | None) -> Generator:
        sinks = {s.name: s.vsre for s in self._lab.plan.services.values()}
        return Generator(self._lab, schedule, self._tool(), sinks, directory, observer)

    def _warm_up(self) -> None:
        """Fill caches; what it measures is thrown away."""
        if not self._profile.warm_up_s:
            return
        with tempfile.TemporaryDirectory() as directory:
            short = warm_up(self._schedule, self._profile.warm_up_s)
            with self._generator(short, Path(directory), None) as generator:
                generator.prepare()
                generator.begin()
                while not generator.poll():
                    time.sleep(TICK_S)

    def _measure(self) -> tuple[Measured, list[Any]]:
        inspected = self._settled_engines()
        before = self._reader.read_when_still()
        with self._generator(self._schedule, self._writer.iperf_dir, self._observer) as generator:
            generator.prepare()
            began_s = generator.begin()
            started_unix_s = time.time() - (time.monotonic() - began_s)
            monitor = Monitor(self._lab, self._flows)
            at_steps: list[Snapshot] = []
            decisions: list[dict[str, Any]] = []
            ends_s = [step.end_s for step in self._schedule.steps[:-1]]
            while not generator.poll():
                now_s = time.monotonic() - began_s
                if ends_s and now_s >= ends_s[0]:
                    ends_s.pop(0)
                    at_steps.append(self._reader.read())
                if self._drops.poll(now_s):
                    self._check_programs()
                self._noise.poll()
                paths = {flow.id: self._actuator.path(flow) for flow in self._flows.values()}
                observation = monitor.look(self._actuator.shares, paths)
                if observation and now_s < self._schedule.duration_s:
                    decisions += self._decide(observation, started_unix_s)
                time.sleep(TICK_S)
            rows = generator.rows()
        after = self._reader.read_when_still()
        ended_unix_s = time.time()
        self._drops.note(after)
        measured = Measured(
            started_unix_s,
            ended_unix_s,
            before,
            after,
            at_steps,
            inspected,
            self._settled_engines(),
            decisions,
        )
        return measured, rows

    def _check_programs(self, error: RunFailed | None = None) -> None:
        dead = [d.name for d in self._lab.daemons() if not d.alive()]
        if dead:
            then = f"; then {error.message}" if error else ""
            raise RunFailed(
                f"{', '.join(dead)} ended in the middle of a trial{then}", hint="see 'testbedctl logs'"
            ) from error

    def _check_disk(self, error: RunFailed) -> None:
        if shutil.disk_usage(self._writer.path).free < LEAST_FREE_BYTES:
            raise RunFailed(
                f"No space left on device: {self._writer.path}; then {error.message}",
                hint="free space, or set TESTBEDCTL_RUNS to another disk",
            ) from error

    def _clear(self) -> None:
        """Remove the trial's rules; a controller that has died leaves them to ``down``."""
        controller = next(d for d in self._lab.daemons() if d.name == "controller")
        if controller.alive():
            self._actuator.clear()

    def _decide(self, observation: Observation, started_unix_s: float) -> list[dict[str, Any]]:
        made = []
        for action in self._policy.decide(observation):
            applied = self._actuator.apply(action)
            decision = self._decision(applied, observation, started_unix_s)
            self._writer.append_decision(decision)
            if applied.applied_unix_s is not None:
                self._observer.decided(
                    f"{decision['action']} at {decision['at_s']:.1f} s: {decision['reason']}"
                )
            made.append(decision)
        return made

    def _decision(self, applied: Applied, observation: Observation, started_unix_s: float) -> dict[str, Any]:
        action, reason = applied.action, applied.action.reason
        at_s = observation.at_s - started_unix_s
        later_s = applied.applied_unix_s - observation.at_s if applied.applied_unix_s is not None else None
        total = sum(f.rate_bps for f in observation.flows if f.home == reason.vnf)
        moved = sum(f.rate_bps for f in observation.flows if f.id in applied.flow_ids)
        return {
            "at_s": round(at_s, 3),
            "step": self._schedule.step_at(max(0.0, at_s)),
            "action": KINDS[type(action)],
            "vnf": reason.vnf,
            "target": applied.target,
            "flows": list(applied.flow_ids),
            "share_ratio": moved / total
            if total and applied.flow_ids and not isinstance(action, Release)
            else None,
            "observed": _finite(reason.observed),
            "forecast": _finite(reason.forecast),
            "threshold": _finite(reason.threshold),
            "reason": reason.text,
            "applied_after_s": round(later_s, 4) if later_s is not None else None,
            "sample_unix_s": observation.at_s,
        }

    def _settled_engines(self) -> Mapping[str, int]:
        """Packets that the engines have seen, once their counts stand still (they lag a second or two)."""
        deadline = time.monotonic() + ENGINE_SETTLES_WITHIN_S
        last, since = self._reader.inspected(), time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < 2.0:
            time.sleep(0.2)  # bounded by the deadline
            now = self._reader.inspected()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def _record(self, measured: Measured, rows: list[Any]) -> Outcome:
        tables = TrialTables(
            self._lab.plan, self._schedule, [asdict(row) for row in rows], measured.started_unix_s
        )
        dropped = [sample for samples in self._drops.samples.values() for sample in samples]
        telemetry = tables.telemetry(self._lab, measured.ended_unix_s)
        self._writer.write_table("flows", tables.flows)
        self._writer.write_table("steps", tables.steps())
        self._writer.write_table("vnfs", tables.vnfs(telemetry))
        self._writer.write_table("telemetry", tables.telemetry_rows(telemetry))
        self._writer.write_table(
            "hops", tables.hops(measured, dropped, counted=self._profile.traffic != "tcp")
        )
        dpi = self._inspection(measured)
        blind = {
            key: d["ratio"]
            for key, d in dpi.items()
            if d["ratio"] is not None and d["ratio"] < INSPECTED_AT_LEAST
        }
        cause = "; ".join(
            f"the engine of {k} saw only {r:.1%} of what was forwarded" for k, r in blind.items()
        )
        warnings = self._noise.warnings()
        self._writer.write_trial(
            {
                "status": "invalid" if blind else "complete",
                "started": datetime.fromtimestamp(measured.started_unix_s, UTC).isoformat(
                    timespec="milliseconds"
                ),
                "duration_s": measured.ended_unix_s - measured.started_unix_s,
                "cookie": self._actuator.cookie,
                "noise": self._noise.record(),
                "dpi": dpi,
                "warnings": [cause] if cause else [],
            }
        )
        return Outcome(not blind, cause, tuple(warnings))

    def _inspection(self, measured: Measured) -> dict[str, dict[str, Any]]:
        """For each vDPI with an engine: packets forwarded, packets inspected, and their ratio."""
        found = {}
        for key, seen in measured.inspected_after.items():
            inspected = seen - measured.inspected_before[key]
            forwarded = sum(
                measured.after[s].lanes[key].vdpi_flow - measured.before[s].lanes[key].vdpi_flow
                for s in measured.after
            )
            ratio = inspected / forwarded if forwarded else None
            found[key] = {"forwarded": forwarded, "inspected": inspected, "ratio": ratio}
        return found


def _finite(value: float | None) -> float | None:
    """What was not measured is null in the records, never NaN."""
    return value if value is not None and math.isfinite(value) else None
