"""One trial: a schedule under one policy, measured from before its first packet to after its last."""

from __future__ import annotations

import math
import secrets
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from testbedctl.backends.local.lab import Lab
from testbedctl.errors import RunFailed
from testbedctl.experiment.actuator import CONTROLLER_TIMEOUT_S, KINDS, Actuator, Applied
from testbedctl.experiment.counters import CounterReader, Mark, Snapshot
from testbedctl.experiment.drops import DropWatch
from testbedctl.experiment.monitor import Monitor
from testbedctl.experiment.noise import NoiseWatch
from testbedctl.experiment.placement import measured_vdpis
from testbedctl.experiment.record import Measured, Outcome, Recorder
from testbedctl.experiment.tables import TrialTables
from testbedctl.host import interruption
from testbedctl.ports import Flow, Observation, Policy, Release
from testbedctl.records.manifest import Planned
from testbedctl.records.run import TrialWriter
from testbedctl.spec.profile import Profile
from testbedctl.telemetry.config import Cgroups
from testbedctl.traffic.flows import FlowRow
from testbedctl.traffic.generator import Generator, Tool
from testbedctl.traffic.generator import Observer as TrafficObserver
from testbedctl.traffic.iperf import Iperf
from testbedctl.traffic.replay import Replay
from testbedctl.traffic.schedule import Schedule, warm_up

TICK_S = 0.01
COOKIE_BITS = 48
LEAST_FREE_BYTES = 65_536
"""With less than this on the disk, an output that is cut short was cut by the disk."""


class Observer(TrafficObserver, Protocol):
    """Sees how a run goes; a progress display is one."""

    def trial_begun(self, planned: Planned, of: int) -> None:
        """A trial begins, ``of`` so many."""

    def decided(self, sentence: str) -> None:
        """The policy did something."""

    def trial_ended(self, outcome: Outcome) -> None:
        """A trial has ended."""


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
        cookie, controller = secrets.randbits(COOKIE_BITS), lab.controller(CONTROLLER_TIMEOUT_S)
        self._actuator = Actuator(controller, lab.plan, self._flows, cookie, writer.planned.arm)
        self._reader = CounterReader(lab)
        self._drops = DropWatch(self._reader)
        self._marks: list[Mark] = []
        self._noise = NoiseWatch(Cgroups.of(lab.hierarchy, lab.plan.group))

    def run(self) -> Outcome:
        """Warm up, measure, drain, check, write. The lab's rules are as before, whatever happens."""
        try:
            self._actuator.install_cameras(self._policy, measured_vdpis(self._lab, self._flows))
            self._warm_up()
            measured, rows = self._measure()
        except RunFailed as error:
            # a program that has ended, or a full disk, explains what failed after it
            self._check_programs(error)
            self._check_disk(error)
            raise
        finally:
            self._clear()
        tables = TrialTables(
            self._lab.plan, self._schedule, [asdict(row) for row in rows], measured.started_unix_s
        )
        counted = self._profile.traffic != "tcp"
        recorder = Recorder(self._lab, self._schedule, tables, self._noise, self._writer)
        return recorder.record(measured, self._drops, self._actuator.cookie, counted=counted)

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
                    interruption.check()
                    time.sleep(TICK_S)

    def _measure(self) -> tuple[Measured, list[FlowRow]]:
        inspected = self._reader.inspected_when_still()
        self._mark(0.0, self._reader.read_when_still())
        with self._generator(self._schedule, self._writer.iperf_dir, self._observer) as generator:
            generator.prepare()
            began_s = generator.begin()
            started_unix_s = time.time() - (time.monotonic() - began_s)
            monitor = Monitor(self._lab, self._flows)
            while not generator.poll():
                interruption.check()
                now_s = time.monotonic() - began_s
                self._watch(now_s)
                observation = monitor.look(self._actuator.shares, self._paths)
                if observation and now_s < self._schedule.duration_s:
                    self._decide(observation, started_unix_s)
                time.sleep(TICK_S)
            rows = generator.rows()
        after, ended_s = self._reader.read_when_still(), time.monotonic() - began_s
        ended_unix_s = time.time()
        while len(self._marks) <= len(self._schedule.steps):
            self._mark(ended_s, after)
        inspected_after = self._reader.inspected_when_still()
        return Measured(started_unix_s, ended_unix_s, self._marks, inspected, inspected_after), rows

    def _watch(self, now_s: float) -> None:
        """Read what is due, and look whether the lab's programs still run."""
        self._noise.poll()
        border = self._schedule.steps[len(self._marks) - 1]
        if now_s >= border.end_s and border is not self._schedule.steps[-1]:
            self._mark(now_s, self._reader.read())
        elif not self._drops.poll(now_s):
            return
        self._check_programs()

    def _mark(self, at_s: float, snapshot: Snapshot) -> None:
        """Keep the counters at the border of two steps."""
        self._marks.append(Mark(at_s, snapshot))
        self._drops.note(at_s, snapshot)

    def _paths(self) -> dict[str, str]:
        return {flow.id: self._actuator.path(flow) for flow in self._flows.values()}

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

    def _decide(self, observation: Observation, started_unix_s: float) -> None:
        for action in self._policy.decide(observation):
            applied = self._actuator.apply(action)
            decision = self._decision(applied, observation, started_unix_s)
            self._writer.append_decision(decision)
            if applied.applied_unix_s is not None:
                self._observer.decided(
                    f"{decision['action']} at {decision['at_s']:.1f} s: {decision['reason']}"
                )

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


def _finite(value: float | None) -> float | None:
    """What was not measured is null in the records, never NaN."""
    return value if value is not None and math.isfinite(value) else None
