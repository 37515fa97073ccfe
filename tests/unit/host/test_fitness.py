"""What ``doctor`` says, on this machine and on machines that lack something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbedctl.cli.main import app
from testbedctl.host import fitness, programs, requirements
from testbedctl.host.fitness import Check

PRIVILEGED = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A machine with cgroup v2 and the modules of a Debian kernel, quiet and large."""
    files = {
        "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "proc/self/status": PRIVILEGED,
        "proc/sys/kernel/osrelease": "6.1.0\n",
        "proc/cpuinfo": "processor : 0\nmodel name : X\n\nprocessor : 1\n",
        "proc/meminfo": "MemTotal: 8000000 kB\n",
        "proc/stat": "cpu  50 0 20 30 0 0 0 0 0 0\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
        "dev/net/tun": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for module in ("veth", "vxlan", "tun", "openvswitch", "sch_netem"):
        (tmp_path / "sys/module" / module).mkdir(parents=True)
    return tmp_path


def named(root: Path, name: str) -> Check:
    return next(check for check in fitness.examine(root) if check.name == name)


def test_a_server_has_all_that_the_kernel_must_give(server: Path) -> None:
    expected = {
        "openvswitch (kernel)",
        "sch_netem (kernel)",
        "root",
        "control groups",
        "veth",
        "vxlan",
        "tun",
    }
    assert {c.name for c in fitness.examine(server) if c.state == "ok"} >= expected


def test_a_user_is_told_to_use_sudo(server: Path) -> None:
    (server / "proc/self/status").write_text("Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n")
    check = named(server, "root")
    assert check.state == "missing" and "uid 1000" in check.found and "sudo" in (check.fix or "")


def test_root_in_a_bare_container_is_told_about_privileged(server: Path) -> None:
    (server / "proc/self/status").write_text("Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n")
    check = named(server, "root")
    assert check.state == "missing" and "sys_admin" in check.found and "--privileged" in (check.fix or "")


def test_control_groups_without_cpu_stop_a_lab(server: Path) -> None:
    (server / "sys/fs/cgroup/cgroup.controllers").write_text("memory\n")
    assert named(server, "control groups").state == "missing"
    assert not fitness.fit(fitness.examine(server))


def test_a_module_that_can_be_loaded_comes_with_its_command(server: Path) -> None:
    (server / "sys/module/sch_netem").rmdir()
    index = server / "lib/modules/6.1.0/modules.dep"
    index.parent.mkdir(parents=True)
    index.write_text("kernel/net/sched/sch_netem.ko.xz:\n")
    check = named(server, "sch_netem (kernel)")
    assert (check.state, check.fix) == ("limited", "modprobe sch_netem")


def test_what_cannot_be_had_here_does_not_stop_a_lab(server: Path) -> None:
    for module in ("openvswitch", "sch_netem"):
        (server / "sys/module" / module).rmdir()
    (server / "proc/stat").write_text("cpu  50 0 20 20 0 0 0 10 0 0\n")
    states = {c.name: c.state for c in fitness.examine(server)}
    assert states["openvswitch (kernel)"] == states["sch_netem (kernel)"] == states["CPU steal"] == "limited"


@pytest.mark.parametrize("module", ["veth", "vxlan", "tun"])
def test_a_kernel_without_virtual_links_stops_a_lab(server: Path, module: str) -> None:
    (server / "sys/module" / module).rmdir()
    assert named(server, module).state == "missing"


def test_a_missing_program_names_its_package(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "program_version", lambda _: None)
    switch, capture = named(server, "ovs-vswitchd"), named(server, "tcpdump")
    assert switch.state == "missing" and "openvswitch-switch" in (switch.fix or "")
    assert capture.state == "limited"


@pytest.mark.parametrize("name", ["tc", "ovs-vsctl", "ovs-ofctl", "ovsdb-tool", "setpriv"])
def test_up_and_doctor_ask_for_the_same_programs(
    server: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda asked, **_: None if asked == name else "/bin/true")
    assert named(server, name).state == "missing"
    (said,) = [line for line in requirements.missing() if "packages" in line]
    assert said.startswith(f"missing packages: {programs.PROGRAMS[name].package} (")


def test_what_only_capture_needs_does_not_stop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        programs.shutil, "which", lambda asked, **_: None if asked == "tcpdump" else "/bin/true"
    )
    assert not [line for line in requirements.missing() if "packages" in line]


def test_a_machine_without_ethtool_is_fit() -> None:
    """Offloads are switched off by ioctl."""
    assert "ethtool" not in programs.PROGRAMS


def test_every_finding_that_is_not_ok_says_what_it_means_and_what_to_do(tmp_path: Path) -> None:
    findings = [c for c in fitness.examine(tmp_path) if c.state != "ok"]
    assert len(findings) > 5
    assert all(c.meaning and c.fix for c in findings)


def run_doctor(monkeypatch: pytest.MonkeyPatch, root: Path, *options: str) -> tuple[int, str]:
    examine = fitness.examine
    monkeypatch.setattr(fitness, "examine", lambda: examine(root))
    monkeypatch.setattr(fitness, "program_version", lambda _: "1.0")
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(app, ["doctor", *options])
    return result.exit_code, result.stdout


def test_doctor_on_a_fit_machine(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run_doctor(monkeypatch, server)
    assert code == 0 and "This machine is fit for a lab." in text


def test_doctor_on_an_unfit_machine_exits_4_within_80_columns(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server / "sys/module/veth").rmdir()
    code, text = run_doctor(monkeypatch, server)
    assert code == 4 and "not fit for a lab: veth missing" in text
    prose = [line for line in text.splitlines() if not line.startswith("  fix: ")]  # a command is not broken
    assert max(len(line) for line in prose) <= 80
    assert "\x1b" not in text


def test_doctor_prints_one_json_document(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (server / "dev/net/tun").unlink()
    code, text = run_doctor(monkeypatch, server, "--json")
    document = json.loads(text)
    assert (code, document["schema"], document["fit"]) == (4, "testbedctl.doctor/1", False)
    assert [c["name"] for c in document["checks"] if c["state"] == "missing"] == ["/dev/net/tun"]
    assert document["needs_root"] and document["host"]["programs"]
