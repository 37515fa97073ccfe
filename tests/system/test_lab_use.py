"""What a person does with a lab that is up: look at it, run things on it, capture, and see its web page."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbedctl.backends.local.probe import ping
from tests.system.conftest import cli, started
from tests.system.snapshot import differences, snapshot

LAB = "lab-use"
pytestmark = pytest.mark.usefixtures("up")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """One lab for all tests of this file; yields what ``up --json`` said of it."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("use")
        patch.setenv("TESTBEDCTL_STATE", str(home / "state"))
        patch.setenv("TESTBEDCTL_LAB", LAB)
        before = snapshot()
        made = cli("up", "--json")
        assert made.returncode == 0, made.stderr
        yield json.loads(made.stdout)
        down = cli("down", "--json")
        left = differences(before, snapshot())
        assert (down.returncode, left) == (0, []), down.stderr
        assert json.loads(down.stdout)["labs"][0]["left"] == []


def until(check: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_every_program_lives_and_every_node_has_its_address(up: dict[str, object]) -> None:
    status = cli("status", "--json")
    told = json.loads(status.stdout)
    assert (told["lab"], told["state"]) == (LAB, "up")
    assert len(told["nodes"]) == 12
    assert {n["node"] for n in told["nodes"]} >= {"service1/vdpi", "service2/cameras", "mgmt"}
    for program in told["programs"]:
        assert Path(f"/proc/{program['pid']}/cgroup").read_text().count(f"testbedctl/{LAB}/") == 3
    sink = next(n for n in told["nodes"] if n["node"] == "service1/vsre")
    assert sink["interfaces"]["vxlan1"] == ["10.1.0.1/16"]
    assert up["lab"] == LAB and float(str(up["up_s"])) > 0


def test_status_when_the_controller_hangs() -> None:
    programs = json.loads(cli("status", "--json").stdout)["programs"]
    controller = next(p for p in programs if "controller" in p["name"])
    os.kill(controller["pid"], signal.SIGSTOP)
    try:
        told = json.loads(cli("status", "--json").stdout)
        assert told["state"] == "degraded" and "controller" in told["problem"]
        assert "service1/vdpi" in (table := cli("status").stdout) and "controller" in table.splitlines()[-1]
    finally:
        os.kill(controller["pid"], signal.SIGCONT)
    until(lambda: json.loads(cli("status", "--json").stdout)["problem"] is None, "it does not recover")


def test_status_for_people_and_a_program_that_has_ended() -> None:
    table = cli("status").stdout
    assert "service1/vdpi" in table and f"lab {LAB}: up" in table
    victim = next(p for p in json.loads(cli("status", "--json").stdout)["programs"] if "sink" in p["name"])
    os.kill(victim["pid"], 9)
    until(lambda: "sink ended" in cli("status").stdout, "the dead sink is not shown")
    assert json.loads(cli("status", "--json").stdout)["state"] == "degraded"


def test_exec_runs_in_the_namespace_and_in_the_groups() -> None:
    script = "cat /proc/self/cgroup; readlink /proc/self/ns/net; exit 7"
    done = cli("exec", "service1/vdpi", "--", "sh", "-c", script)
    assert done.returncode == 7
    groups = [line for line in done.stdout.splitlines() if line.endswith(f"/testbedctl/{LAB}/service1.vdpi")]
    assert len(groups) == 3  # cpu, cpuacct, memory
    inode = Path(f"/run/netns/tbc.{LAB}.service1.vdpi").stat().st_ino
    assert f"net:[{inode}]" in done.stdout


def test_exec_passes_arguments_as_they_are() -> None:
    odd = ["a b", "$HOME", "; reboot", "", "--lab", "*"]
    done = cli("exec", "service2/van", "--", "printf", "%s\n", *odd)
    assert done.stdout.splitlines() == odd


def test_exec_names_what_it_does_not_know() -> None:
    for arguments, word in (
        (("nowhere", "--", "true"), "'nowhere' is not a node"),
        (("vdpi", "--", "true"), "'vdpi' is more than one node"),
        (("mgmt", "--", "no-such-program"), "no program 'no-such-program'"),
    ):
        done = cli("exec", *arguments)
        assert done.returncode == 2 and word in done.stderr
        assert "Traceback" not in done.stderr


def test_logs_shows_each_program_and_refuses_an_unknown_one() -> None:
    everything = cli("logs")
    assert everything.returncode == 0 and "ovs-vswitchd.service1.vdpi" in everything.stdout
    sinks = cli("logs", "sink").stdout
    assert "sink.service1.vsre" in sinks and "prometheus" not in sinks
    assert "Server listening on 5201" in sinks
    unknown = cli("logs", "nonsense")
    assert unknown.returncode == 2 and "'nonsense'" in unknown.stderr and "prometheus" in unknown.stderr


def test_capture_writes_packets_that_really_passed(tmp_path: Path) -> None:
    pcap = tmp_path / "taken.pcap"
    arguments = ("-i", "van1", "-c", "6", "-o", str(pcap), "--filter", "icmp")
    tcpdump = started("capture", "service1/vdpi", *arguments)
    until(pcap.exists, "tcpdump does not listen")
    for _ in range(3):
        assert ping(f"tbc.{LAB}.service1.cameras", "10.1.16.1", "10.1.0.1") is not None
    _, said = tcpdump.communicate(timeout=20)
    assert tcpdump.returncode == 0, said
    assert echoes(pcap) == [8, 0] * 3


def echoes(pcap: Path) -> list[int]:
    """The ICMP types of a capture's packets (pcap(5), Ethernet, IPv4 without options)."""
    data = pcap.read_bytes()
    magic, _, _, _, _, _, link = struct.unpack("<IHHiIII", data[:24])
    assert (magic, link) == (0xA1B2C3D4, 1)
    found, at = [], 24
    while at < len(data):
        length = struct.unpack("<I", data[at + 8 : at + 12])[0]
        packet = data[at + 16 : at + 16 + length]
        assert packet[12:14] == b"\x08\x00" and packet[23] == 1
        found.append(packet[34])
        at += 16 + length
    return found


def test_forward_shows_the_web_page_and_its_streams() -> None:
    forward = started("forward", "service1/vwapp")
    assert forward.stdout is not None
    url = forward.stdout.readline().split()[0]
    try:
        assert url.startswith("http://127.0.0.1:")
        page = urllib.request.urlopen(url, timeout=10).read().decode()
        streams = json.load(urllib.request.urlopen(f"{url}/streams.json", timeout=10))
    finally:
        forward.send_signal(2)
        forward.communicate(timeout=10)
    assert "<html" in page.lower() and "service1" in page + json.dumps(streams)
    assert forward.returncode == 130


def test_forward_refuses_a_port_in_use() -> None:
    first = started("forward", "service1/vwapp")
    assert first.stdout is not None
    port = first.stdout.readline().split()[0].rpartition(":")[2]
    second = cli("forward", "service1/vwapp", "--listen", port)
    first.send_signal(2)
    first.communicate(timeout=10)
    assert second.returncode == 2 and "in use" in second.stderr
