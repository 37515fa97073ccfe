"""A real Open vSwitch in a namespace, cameras and three vDPI ports with one sink address in theirs."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbedctl.sdn.client import Controller
from testbedctl.sdn.requests import ShareRequest
from testbedctl.sdn.rules import Pair, Routes

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
DPID = "00000000000000a1"
SINK = "10.9.0.1"
PREFIX = "10.1.1.0/24"
CAMERAS = [f"10.1.1.{n}" for n in range(1, 9)]
VDPI_PORTS = ("vdpi1", "vdpi2", "vdpi3")
MACS = {"cam": "02:00:00:00:00:01", "sink": "02:00:00:00:00:02"}
ROUTES = Routes("cam", PREFIX, SINK, "vdpi1", VDPI_PORTS, "service1/van")
WAIT_S = 20.0  # Open vSwitch waits up to 8 s between two attempts to connect


def run(*argv: str, stdin: str | None = None) -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def until(what: str, holds: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


@dataclass
class Lab:
    """A switch, cameras and three sinks with one address; every process is a child of the test."""

    tag: str
    directory: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def ns(self, node: str) -> str:
        return f"{self.tag}-{node}"

    def inside(self, node: str, *argv: str) -> list[str]:
        return ["ip", "netns", "exec", self.ns(node), *argv]

    @property
    def socket(self) -> Path:
        return self.directory / "nb.sock"

    @property
    def controller(self) -> Controller:
        return Controller(f"unix:{self.socket}", self.token)

    def spawn(self, name: str, argv: Sequence[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OVS_RUNDIR": str(self.directory)}
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(argv, stderr=log, stdout=log, env=environment)

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            return process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise

    def vsctl(self, *argv: str) -> str:
        return run("ovs-vsctl", "--timeout=10", f"--db=unix:{self.directory}/db.sock", *argv)

    def switch_flows(self) -> dict[tuple[int, str, str], tuple[int, int, int]]:
        """What the switch itself says: (priority, source, destination) -> (packets, output, cookie)."""
        management = f"unix:{self.directory}/br.mgmt"
        text = run(
            *self.inside("sw", "ovs-ofctl", "--no-names", "-O", "OpenFlow13", "dump-flows", management)
        )
        found = {}
        for line in text.splitlines():
            source = re.search(r"nw_src=([0-9./]+)", line)
            destination = re.search(r"nw_dst=([0-9./]+)", line)
            packets = re.search(r"n_packets=(\d+)", line)
            priority = re.search(r"priority=(\d+)", line)
            output = re.search(r"output:(\d+)", line)
            cookie = re.search(r"cookie=0x([0-9a-f]+)", line)
            if source and destination and packets and priority and output and cookie:
                key = (int(priority[1]), source[1], destination[1])
                found[key] = (int(packets[1]), int(output[1]), int(cookie[1], 16))
        return found

    def port_numbers(self) -> dict[str, int]:
        names = ("cam", *VDPI_PORTS)
        return {name: int(self.vsctl("get", "Interface", name, "ofport")) for name in names}

    def start_controller(self) -> None:
        token = self.directory / "token"
        token.write_text(self.token)
        token.chmod(0o600)
        argv = ["-m", "testbedctl.sdn", "--listen", "127.0.0.1", "--northbound", f"unix:{self.socket}"]
        self.spawn("controller", self.inside("sw", sys.executable, *argv, "--token-file", str(token)))

    def start_switch(self) -> None:
        argv = [f"unix:{self.directory}/db.sock", f"--unixctl={self.directory}/vswitchd.ctl"]
        self.spawn("vswitchd", self.inside("sw", "ovs-vswitchd", *argv, "-vconsole:warn"))

    def stop_switch(self) -> None:
        self.stop("vswitchd", signal.SIGKILL)
        for tap in ("br", "ovs-netdev"):  # left behind by a killed switch
            subprocess.run(self.inside("sw", "ip", "link", "del", tap), capture_output=True, timeout=10)

    def build(self) -> None:
        for node in ("sw", "cam", *VDPI_PORTS):
            run("ip", "netns", "add", self.ns(node))
            run("ip", "-n", self.ns(node), "link", "set", "lo", "up")
        for node in ("cam", *VDPI_PORTS):
            self._cable(node)
        run("ovsdb-tool", "create", str(self.directory / "conf.db"), SCHEMA)
        remote = [f"--remote=punix:{self.directory}/db.sock", f"--unixctl={self.directory}/db.ctl"]
        self.spawn("ovsdb", self.inside("sw", "ovsdb-server", str(self.directory / "conf.db"), *remote))
        until("ovsdb-server listens", (self.directory / "db.sock").exists)
        self.vsctl("--no-wait", "init")
        self.start_switch()
        ports = [part for port in ("cam", *VDPI_PORTS) for part in ("--", "add-port", "br", port)]
        settings = ["datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow13"]
        self.vsctl(
            *("add-br", "br", "--", "set", "bridge", "br", *settings, f"other-config:datapath-id={DPID}"),
            *ports,
            *("--", "set-controller", "br", "tcp:127.0.0.1:6653"),
            *("--", "set", "controller", "br", "max_backoff=1000", "connection_mode=out-of-band"),
        )

    def _cable(self, node: str) -> None:
        far, near = self.ns(node), self.ns("sw")
        role = "cam" if node == "cam" else "sink"
        addresses = [f"{address}/8" for address in (CAMERAS if role == "cam" else [SINK])]
        peers = [SINK] if role == "cam" else CAMERAS
        peer_mac = MACS["sink" if role == "cam" else "cam"]
        run("ip", "link", "add", node, "netns", near, "type", "veth", "peer", "name", "eth0", "netns", far)
        run("ip", "-n", near, "link", "set", node, "up")
        run("ip", "-n", far, "link", "set", "eth0", "address", MACS[role], "up")
        for address in addresses:
            run("ip", "-n", far, "addr", "add", address, "dev", "eth0")
        for peer in peers:
            run("ip", "-n", far, "neigh", "add", peer, "lladdr", peer_mac, "dev", "eth0")
        for namespace, interface in ((near, node), (far, "eth0")):
            argv = ("ethtool", "-K", interface, "tx", "off", "gro", "off")
            run("ip", "netns", "exec", namespace, *argv)

    def destroy(self) -> None:
        for name in list(self.processes):
            self.stop(name, signal.SIGTERM if name != "vswitchd" else signal.SIGKILL)
        for node in ("cam", *VDPI_PORTS, "sw"):
            subprocess.run(["ip", "netns", "del", self.ns(node)], capture_output=True, timeout=10)
        shutil.rmtree(self.directory)


def wanted(cookie: int, *sources: str, id: str = "s1", port: str = "vdpi2") -> ShareRequest:
    flows = tuple(Pair(source, SINK) for source in sources)
    return ShareRequest(id, DPID, "service1/vdpi", "service2/vdpi", port, flows, cookie, None)


def packets(lab: Lab, priority: int, source: str) -> int:
    return lab.switch_flows()[(priority, source, SINK)][0]
