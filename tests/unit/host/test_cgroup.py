"""Control groups of both versions; version 2, which this project's machines lack, from a tree of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbedctl.errors import HostUnfit
from testbedctl.host import cgroup


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return tmp_path


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    for controller in cgroup.CONTROLLERS_V1:
        (tmp_path / controller).mkdir()
    return tmp_path


def test_version_2_gets_quota_and_limit_and_delegation(v2: Path) -> None:
    hierarchy = cgroup.detect(v2)
    cgroup.create(hierarchy, "testbedctl/lab/vdpi", cpu_cores=0.25, memory_bytes=2**30)
    group = v2 / "testbedctl/lab/vdpi"
    assert hierarchy.version == 2
    assert (group / "cpu.max").read_text() == "5000 20000"
    assert (group / "memory.max").read_text() == str(2**30)
    for above in (v2, v2 / "testbedctl", v2 / "testbedctl/lab"):
        assert (above / "cgroup.subtree_control").read_text() == "+cpu +io +memory"


def test_version_1_gets_quota_and_limit(v1: Path) -> None:
    hierarchy = cgroup.detect(v1)
    cgroup.create(hierarchy, "testbedctl/lab/vdpi", cpu_cores=0.25, memory_bytes=2**30)
    assert hierarchy.version == 1
    assert (v1 / "cpu/testbedctl/lab/vdpi/cpu.cfs_quota_us").read_text() == "5000"
    assert (v1 / "cpu/testbedctl/lab/vdpi/cpu.cfs_period_us").read_text() == "20000"
    assert (v1 / "memory/testbedctl/lab/vdpi/memory.limit_in_bytes").read_text() == str(2**30)
    assert len(hierarchy.directories("testbedctl/lab/vdpi")) == 3


def test_version_1_with_joint_controllers_is_one_directory(v1: Path) -> None:
    (v1 / "cpuacct").rmdir()
    (v1 / "cpuacct").symlink_to("cpu")
    assert len(cgroup.detect(v1).directories("g")) == 2


def test_a_host_without_controllers_is_unfit(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("pids\n")
    with pytest.raises(HostUnfit, match="cpu and memory"):
        cgroup.detect(tmp_path)


def test_members_are_found_in_groups_below(v1: Path) -> None:
    hierarchy = cgroup.detect(v1)
    cgroup.create(hierarchy, "testbedctl/lab/vdpi")
    (v1 / "cpu/testbedctl/lab/vdpi/cgroup.procs").write_text("12\n34\n")
    assert cgroup.members(hierarchy, "testbedctl/lab") == [12, 34]
    assert cgroup.members(hierarchy, "testbedctl/none") == []


def test_remove_takes_all_below_and_the_shared_parent_only_when_empty(v1: Path) -> None:
    hierarchy = cgroup.detect(v1)
    for lab in ("a", "b"):
        (v1 / "cpu/testbedctl" / lab / "node").mkdir(parents=True)
    cgroup.remove(hierarchy, "testbedctl/a")
    cgroup.remove_if_empty(hierarchy, "testbedctl")
    assert (v1 / "cpu/testbedctl/b/node").is_dir()
    assert not (v1 / "cpu/testbedctl/a").exists()
    cgroup.remove(hierarchy, "testbedctl/b")
    cgroup.remove_if_empty(hierarchy, "testbedctl")
    assert not (v1 / "cpu/testbedctl").exists()
