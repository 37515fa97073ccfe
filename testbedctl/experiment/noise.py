"""Watches what else the host does while a trial runs: a measurement without that is worth nothing."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from testbedctl.records.trial import BUSY_OTHER_CORES, IDLE_RATIO, STEAL_RATIO
from testbedctl.telemetry.cgroups import cpu_seconds
from testbedctl.telemetry.config import Cgroups


@dataclass(frozen=True)
class _Reading:
    at_s: float
    total_ticks: int
    idle_ticks: int
    steal_ticks: int
    own_cpu_s: float


class NoiseWatch:
    """Reads the host's CPU time once a second; ``lab`` is the control group of the whole lab."""

    def __init__(self, lab: Cgroups, *, proc: Path = Path("/proc")):
        self._lab, self._proc = lab, proc
        self._last = self._read()
        self._idle_min: float | None = None
        self._steal_max: float | None = None
        self._others_max: float | None = None

    def poll(self) -> None:
        """Take a reading if a second has passed since the last one; cheap otherwise."""
        if time.monotonic() - self._last.at_s < 1.0:
            return
        now, last = self._read(), self._last
        self._last = now
        ticks = now.total_ticks - last.total_ticks
        if ticks <= 0:
            return
        tick_s = 1 / os.sysconf("SC_CLK_TCK")
        idle = (now.idle_ticks - last.idle_ticks) / ticks
        steal = (now.steal_ticks - last.steal_ticks) / ticks
        busy_s = (ticks - (now.idle_ticks - last.idle_ticks) - (now.steal_ticks - last.steal_ticks)) * tick_s
        others = max(0.0, busy_s - (now.own_cpu_s - last.own_cpu_s)) / (now.at_s - last.at_s)
        self._idle_min = idle if self._idle_min is None else min(self._idle_min, idle)
        self._steal_max = steal if self._steal_max is None else max(self._steal_max, steal)
        self._others_max = others if self._others_max is None else max(self._others_max, others)

    def record(self) -> dict[str, float | None]:
        """The trial's ``noise``: least idle, most steal (ratios of all cores), most by others (cores)."""
        return {
            "idle_ratio_min": self._idle_min,
            "steal_ratio_max": self._steal_max,
            "busy_other_cores_max": self._others_max,
        }

    def warnings(self) -> list[str]:
        """Sentences for the report where the host was too busy to trust the trial."""
        found = []
        if self._idle_min is not None and self._idle_min < IDLE_RATIO:
            found.append(f"the host had only {self._idle_min:.1%} idle CPU in some second")
        if self._steal_max is not None and self._steal_max > STEAL_RATIO:
            found.append(f"the hypervisor took up to {self._steal_max:.1%} of the CPU")
        if self._others_max is not None and self._others_max > BUSY_OTHER_CORES:
            found.append(f"other processes used up to {self._others_max:.2f} cores")
        return found

    def _read(self) -> _Reading:
        # user nice system idle iowait irq softirq steal; guest time is inside user
        fields = [int(f) for f in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        times = os.times()
        own_s = cpu_seconds(self._lab) + times.user + times.system
        return _Reading(time.monotonic(), sum(fields), fields[3] + fields[4], fields[7], own_s)
