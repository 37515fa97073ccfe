"""Machines that are not at hand, as trees of files."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from testbedctl.host import facts, programs

Machine = Callable[[dict[str, str]], Path]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A root directory with the given files; a name that ends in ``/`` is an empty directory."""

    def build(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_text(text)
        return tmp_path

    return build


def test_cgroup_v2_with_its_controllers(machine: Machine) -> None:
    root = machine({"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n"})
    assert facts.cgroup(root) == facts.Cgroup("v2", 2, ("cpuset", "cpu", "io", "memory", "pids"), ())


def test_cgroup_v2_whose_cpu_controller_is_not_delegated(machine: Machine) -> None:
    found = facts.cgroup(machine({"sys/fs/cgroup/cgroup.controllers": "memory pids"}))
    assert (found.mode, found.version, found.missing) == ("v2", 0, ("cpu",))


def test_cgroup_v1(machine: Machine) -> None:
    root = machine({f"sys/fs/cgroup/{c}/": "" for c in ("cpu", "cpuacct", "memory")})
    assert facts.cgroup(root) == facts.Cgroup("v1", 1, ("cpu", "cpuacct", "memory"), ())


def test_cgroup_hybrid_uses_version_1(machine: Machine) -> None:
    files = {f"sys/fs/cgroup/{c}/": "" for c in ("cpu", "cpuacct", "memory")}
    root = machine(files | {"sys/fs/cgroup/unified/cgroup.controllers": ""})
    assert (facts.cgroup(root).mode, facts.cgroup(root).version) == ("hybrid", 1)


def test_cgroup_v1_without_accounting_cannot_be_used(machine: Machine) -> None:
    root = machine({"sys/fs/cgroup/cpu/": "", "sys/fs/cgroup/memory/": ""})
    assert (facts.cgroup(root).version, facts.cgroup(root).missing) == (0, ("cpuacct",))


def test_no_cgroup_at_all(machine: Machine) -> None:
    assert facts.cgroup(machine({})).mode == "none"


@pytest.mark.parametrize(
    ("files", "how", "datapath"),
    [
        ({"sys/module/openvswitch/": ""}, "loaded", "system"),
        (
            {"lib/modules/6.1/modules.builtin": "kernel/net/openvswitch/openvswitch.ko\n"},
            "built-in",
            "system",
        ),
        ({"boot/config-6.1": "CONFIG_OPENVSWITCH=y\n"}, "built-in", "system"),
        (
            {"lib/modules/6.1/modules.dep": "kernel/net/openvswitch/openvswitch.ko.xz: x.ko\n"},
            "loadable",
            "netdev",
        ),
        ({"lib/modules/6.1/modules.dep": "kernel/net/vport-openvswitch.ko:\n"}, "absent", "netdev"),
        ({"boot/config-6.1": "CONFIG_OPENVSWITCH=m\n"}, "absent", "netdev"),
        ({}, "absent", "netdev"),
    ],
)
def test_kernel_datapath(machine: Machine, files: dict[str, str], how: str, datapath: str) -> None:
    root = machine(files | {"proc/sys/kernel/osrelease": "6.1\n"})
    assert (facts.feature("openvswitch", root), facts.datapath(root)) == (how, datapath)


def test_packed_kernel_configuration(machine: Machine) -> None:
    root = machine({"proc/sys/kernel/osrelease": "6.1\n"})
    (root / "proc/config.gz").write_bytes(
        gzip.compress(b"CONFIG_VETH=y\n# CONFIG_NET_SCH_NETEM is not set\n")
    )
    assert (facts.feature("veth", root), facts.feature("sch_netem", root)) == ("built-in", "absent")


def test_looking_loads_no_module() -> None:
    before = {line.split()[0] for line in _modules()}
    for module in facts.FEATURES:
        facts.feature(module)
    assert {line.split()[0] for line in _modules()} == before


def _modules() -> list[str]:
    listed = Path("/proc/modules")
    return (
        listed.read_text().splitlines()
        if listed.exists()
        else [p.name for p in Path("/sys/module").iterdir()]
    )


def test_cpu_of_a_laptop(machine: Machine) -> None:
    core = "processor\t: {}\nmodel name\t: Intel(R) Core(TM) i7\nflags\t\t: fpu vme\n\n"
    root = machine(
        {
            "proc/cpuinfo": core.format(0) + core.format(1),
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
        }
    )
    assert facts.cpu(root) == facts.Cpu("Intel(R) Core(TM) i7", 2, "powersave", False)


def test_cpu_of_an_arm_board_and_of_a_virtual_machine(machine: Machine) -> None:
    arm = facts.cpu(machine({"proc/cpuinfo": "processor : 0\nBogoMIPS : 50\nModel : Raspberry Pi 5\n"}))
    assert (arm.model, arm.cores, arm.governor) == ("Raspberry Pi 5", 1, None)
    assert facts.cpu(machine({"proc/cpuinfo": "processor : 0\nflags : fpu hypervisor\n"})).virtual


def test_rights_of_root_in_a_container(machine: Machine) -> None:
    root = machine({"proc/self/status": "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n"})  # Docker's default
    assert facts.rights(root) == facts.Rights(0, ("net_admin", "sys_admin"))


def test_rights_of_a_user(machine: Machine) -> None:
    rights = facts.rights(
        machine({"proc/self/status": "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n"})
    )
    assert (rights.uid, rights.missing) == (1000, tuple(facts.CAPABILITIES))


def test_steal(machine: Machine) -> None:
    assert facts.steal_ratio(machine({"proc/stat": "cpu  50 0 20 20 0 0 0 10 0 0\ncpu0 1\n"})) == 0.1


@pytest.mark.parametrize("text", ["", "cpu  0 0 0 0 0 0 0 0\n", "cpu  1 2 3\n"])
def test_steal_that_nobody_knows(machine: Machine, text: str) -> None:
    assert facts.steal_ratio(machine({"proc/stat": text})) is None


def test_an_empty_machine_is_unknown_and_not_zero(machine: Machine) -> None:
    found = facts.fingerprint(machine({}))
    for key in (
        "os",
        "kernel",
        "cpu_model",
        "governor",
        "memory_bytes",
        "clock_source",
        "steal_ratio_since_boot",
    ):
        assert found[key] is None
    assert set(found["sysctls"].values()) == {None}


def test_facts_of_this_machine() -> None:
    found = facts.fingerprint()
    assert found["kernel"] == os.uname().release
    assert found["cores"] == os.cpu_count()
    assert found["memory_bytes"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert (
        found["sysctls"]["net.core.rmem_default"]
        == Path("/proc/sys/net/core/rmem_default").read_text().strip()
    )


def test_fingerprint_is_stable_json_and_names_nobody() -> None:
    first, second = facts.fingerprint(), facts.fingerprint()
    assert list(first) == list(second)
    text = json.dumps(first, allow_nan=False)
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)
    assert str(Path.home()) + "/" not in text


def test_fingerprint_is_the_host_of_a_manifest() -> None:
    from testbedctl.records.manifest import Host

    assert Host(**facts.fingerprint()).kernel == os.uname().release


@pytest.mark.parametrize(
    ("name", "says", "version"),
    [
        ("ovs-vswitchd", "ovs-vswitchd (Open vSwitch) 3.1.0", "3.1.0"),
        ("iperf3", "iperf 3.12 (cJSON 1.7.15)", "3.12"),
        ("prometheus", "prometheus, version 2.42.0+ds (branch: debian/sid)", "2.42.0+ds"),
        ("ip", "ip utility, iproute2-6.1.0, libbpf 1.1.0", "6.1.0"),
        ("ip", "ip utility, iproute2-ss200127", "ss200127"),
        ("tc", "tc utility, iproute2-6.1.0, libbpf 1.1.0", "6.1.0"),
        ("ovs-ofctl", "ovs-ofctl (Open vSwitch) 3.1.0\nOpenFlow versions 0x1:0x6", "3.1.0"),
        ("nsenter", "nsenter from util-linux 2.38.1", "2.38.1"),
        ("tcpdump", "no numbers here", "unknown"),
    ],
)
def test_version_of_a_program(tmp_path: Path, name: str, says: str, version: str) -> None:
    _program(tmp_path / name, f"#!/bin/sh\necho '{says}'\n")
    assert programs.program_version(name, str(tmp_path)) == version


def test_a_program_that_is_absent_or_broken(tmp_path: Path) -> None:
    assert programs.program_version("iperf3", str(tmp_path)) is None
    _program(tmp_path / "iperf3", "#!/no/such/interpreter\n")
    assert programs.program_version("iperf3", str(tmp_path)) == "unknown"


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_library_versions() -> None:
    assert programs.library_version("pytest") == pytest.__version__
    assert programs.library_version("no-such-distribution") is None


def test_free_space_of_a_directory_that_is_still_to_be_made(tmp_path: Path) -> None:
    expected = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert facts.free_bytes(tmp_path / "a/b/c") == pytest.approx(expected, rel=0.05)
