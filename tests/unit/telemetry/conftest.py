"""A VNF made of files: control groups of both versions, and a process directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbedctl.telemetry.config import AgentConfig, Cgroups, Limits, VnfSources

FILES_V1 = {
    "cpuacct": {"cpuacct.usage": "1234567891\n"},
    "cpu": {"cpu.stat": "nr_periods 40\nnr_throttled 3\nthrottled_time 2500000001\n", "cgroup.procs": ""},
    "memory": {
        "memory.usage_in_bytes": "104857600\n",
        "memory.stat": "cache 5\ninactive_file 1\ntotal_cache 5\ntotal_inactive_file 4194304\n",
    },
}
FILES_V2 = {
    "group": {
        "cpu.stat": "usage_usec 1234567\nuser_usec 1\nnr_throttled 3\nthrottled_usec 2500001\n",
        "cgroup.procs": "",
        "memory.current": "104857600\n",
        "memory.stat": "anon 1\nfile 2\ninactive_anon 9\ninactive_file 4194304\n",
        "io.stat": "8:0 rbytes=1 wbytes=4096 rios=1 wios=1 dbytes=0\n254:0 rbytes=0 wbytes=512 rios=0\n",
    }
}


def _write(root: Path, directories: dict[str, dict[str, str]]) -> None:
    for directory, files in directories.items():
        (root / directory).mkdir(parents=True)
        for name, text in files.items():
            (root / directory / name).write_text(text)


@pytest.fixture
def cgroup_v1(tmp_path: Path) -> Cgroups:
    """Three mounts, as on version 1."""
    _write(tmp_path / "v1", FILES_V1)
    root = tmp_path / "v1"
    return Cgroups(1, str(root / "cpu"), str(root / "cpuacct"), str(root / "memory"))


@pytest.fixture
def cgroup_v2(tmp_path: Path) -> Cgroups:
    """One directory, as on version 2."""
    _write(tmp_path / "v2", FILES_V2)
    group = str(tmp_path / "v2" / "group")
    return Cgroups(2, group, group, group)


@pytest.fixture(params=["v1", "v2"])
def cgroups(request: pytest.FixtureRequest) -> Cgroups:
    """Each version in turn, with this very process inside, so that ``/proc`` has something to say."""
    found: Cgroups = request.getfixturevalue(f"cgroup_{request.param}")
    Path(found.cpu, "cgroup.procs").write_text(f"{os.getpid()}\n")
    return found


@pytest.fixture
def config(cgroups: Cgroups) -> AgentConfig:
    """An agent that watches one VNF, whose network is this host's loopback interface."""
    vnf = VnfSources(
        key="service1/van",
        service="service1",
        vnf="van",
        vnf_type="van",
        vnf_class="T1",
        cgroups=cgroups,
        interfaces=("lo",),
        limits=Limits(0.25, 2**30, 5e7, 1.25e8),
    )
    return AgentConfig(lab="lab", domain="edge", listen=("127.0.0.1", 0), vnfs=(vnf,))
