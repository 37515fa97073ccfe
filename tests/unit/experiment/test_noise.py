"""The noise watch, on files that say what the host did."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbedctl.experiment import noise
from testbedctl.experiment.noise import NoiseWatch
from testbedctl.telemetry.config import Cgroups


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


class Host:
    """A host whose CPU times and clock the test sets. 100 ticks a second, two cores."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.root, self.now_s, self.lab_s = root, 100.0, 0.0
        self.ticks = [0] * 8
        monkeypatch.setattr(noise.time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(noise.os, "sysconf", lambda _: 100)
        self.write()

    def second(self, *, idle: int, steal: int, lab_s: float) -> None:
        """One second of which so many ticks were idle and stolen; the rest was busy."""
        self.now_s += 1.0
        self.lab_s += lab_s
        self.ticks[0] += 200 - idle - steal
        self.ticks[3] += idle
        self.ticks[7] += steal
        self.write()

    def write(self) -> None:
        (self.root / "stat").write_text(f"cpu  {' '.join(map(str, self.ticks))} 0 0\n")
        (self.root / "cpuacct.usage").write_text(f"{int(self.lab_s * 1e9)}\n")
        (self.root / "cpu.stat").write_text(f"usage_usec {int(self.lab_s * 1e6)}\nnr_periods 1\n")


def watching(host: Host, version: int = 1) -> NoiseWatch:
    directory = str(host.root)
    return NoiseWatch(Cgroups(version, directory, directory, directory), proc=host.root)


@pytest.mark.parametrize("version", [1, 2])
def test_what_the_lab_uses_is_not_noise(host: Host, version: int) -> None:
    watch = watching(host, version)
    host.second(idle=100, steal=0, lab_s=1.0)
    watch.poll()
    record = watch.record()
    assert record["idle_ratio_min"] == 0.5
    assert record["steal_ratio_max"] == 0
    assert record["busy_other_cores_max"] == pytest.approx(0, abs=0.05)
    assert watch.warnings() == []


def test_the_worst_second_counts(host: Host) -> None:
    watch = watching(host)
    host.second(idle=2, steal=20, lab_s=0.5)
    watch.poll()
    host.second(idle=200, steal=0, lab_s=0.0)
    watch.poll()
    record = watch.record()
    assert record["idle_ratio_min"] == 0.01
    assert record["steal_ratio_max"] == 0.1
    assert record["busy_other_cores_max"] == pytest.approx(1.78 - 0.5, abs=0.05)
    assert len(watch.warnings()) == 3


def test_nothing_watched_is_none_and_not_zero(host: Host) -> None:
    assert set(watching(host).record().values()) == {None}
