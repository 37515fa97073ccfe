"""The way of the traffic tests, in four namespaces of their own; removed with everything that runs in them.

cameras ── van ── vdpi ══ vxlan ══ sink        measured data (type of service DATA_TOS)
   └──────────────────────────────────┘        everything else, over a management cable
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from testbedctl.traffic.hops import HopCounters, LaneCounters
from testbedctl.traffic.iperf import DATA_TOS

SINK = "10.99.9.1"


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


class Way:
    """The namespaces of the picture above, as ``Nodes``; remembers its children with their command."""

    def __init__(self) -> None:
        self.tag = f"trf{os.getpid() % 100_000}"
        self.children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def ns(self, name: str) -> str:
        return f"{self.tag}-{name}"

    def ip(self, name: str, command: str) -> None:
        run("ip", "-n", self.ns(name), *command.split())

    def tc(self, name: str, command: str) -> None:
        run("tc", "-n", self.ns(name), *command.split())

    def sysctl(self, name: str, setting: str) -> None:
        run("ip", "netns", "exec", self.ns(name), "sysctl", "-q", "-w", setting)

    def exec(
        self, node: str, argv: Sequence[str], *, stdout: Path | None = None, stderr: Path | None = None
    ) -> subprocess.Popen[bytes]:
        with contextlib.ExitStack() as files:
            out, err = (files.enter_context(p.open("wb")) if p else subprocess.PIPE for p in (stdout, stderr))
            space = self.ns(node.rpartition("/")[2])
            child = subprocess.Popen(["ip", "netns", "exec", space, *argv], stdout=out, stderr=err)
        self.children.append((argv[1], child))
        return child

    def build(self) -> None:
        for name in ("cameras", "van", "vdpi", "sink"):
            run("ip", "netns", "add", self.ns(name))
            self.ip(name, "link set lo up")
            for device in ("all", "default"):
                self.sysctl(name, f"net.ipv6.conf.{device}.disable_ipv6=1")
                self.sysctl(name, f"net.ipv4.conf.{device}.rp_filter=0")
            self.sysctl(name, "net.ipv4.ip_forward=1")
        self.cable("cameras", "out", "10.99.1.2", "van", "in", "10.99.1.1")
        self.cable("van", "out", "10.99.2.2", "vdpi", "in", "10.99.2.1")
        self.cable("vdpi", "under", "10.99.3.2", "sink", "under", "10.99.3.1")
        self.cable("cameras", "mgmt", "10.99.4.2", "sink", "mgmt", "10.99.4.1")
        for name, other, own in (("vdpi", "10.99.3.1", "10.99.5.2"), ("sink", "10.99.3.2", "10.99.5.1")):
            self.ip(name, f"link add tun type vxlan id 7 remote {other} dstport 4789 dev under")
            self.ip(name, f"addr add {own}/24 dev tun")
            self.ip(name, "link set tun mtu 1450 up")
        self.ip("sink", f"addr add {SINK}/32 dev lo")
        self.ip("cameras", "route add local 10.98.0.0/16 dev lo")
        self.routes()

    def cable(self, a: str, a_dev: str, a_ip: str, b: str, b_dev: str, b_ip: str) -> None:
        ends = ["netns", self.ns(a), "type", "veth", "peer", "name", b_dev, "netns", self.ns(b)]
        run("ip", "link", "add", a_dev, *ends)
        for name, device, address in ((a, a_dev, a_ip), (b, b_dev, b_ip)):
            self.ip(name, f"addr add {address}/24 dev {device}")
            self.ip(name, f"link set {device} up")
            run("ip", "netns", "exec", self.ns(name), "ethtool", "-K", device, "tx", "off", "gro", "off")

    def routes(self) -> None:
        for name, via in (("cameras", "10.99.1.1"), ("van", "10.99.2.1"), ("vdpi", "10.99.5.1")):
            self.ip(name, f"route add {SINK}/32 via {via}")
        for name, via in (("van", "10.99.1.2"), ("vdpi", "10.99.2.2"), ("sink", "10.99.5.2")):
            self.ip(name, f"route add 10.98.0.0/16 via {via}")
        for name, via, ends in (
            ("cameras", "10.99.4.1", f"from 10.98.0.0/16 to {SINK}"),
            ("sink", "10.99.4.2", f"from {SINK} to 10.98.0.0/16"),
        ):
            self.ip(name, f"route add default via {via} table 100")
            self.ip(name, f"rule add pref 100 {ends} tos {DATA_TOS:#x} lookup main")
            self.ip(name, f"rule add pref 101 {ends} lookup 100")

    def destroy(self) -> None:
        for _, child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        for name in ("cameras", "van", "vdpi", "sink"):
            subprocess.run(["ip", "netns", "del", self.ns(name)], check=False, capture_output=True)

    def read(self, name: str, path: str) -> str:
        with self.exec(name, ["cat", path]) as child:
            return child.communicate()[0].decode()

    def device(self, name: str, device: str, direction: str) -> int:
        line = next(s for s in self.read(name, "/proc/net/dev").splitlines() if f"{device}:" in s)
        return int(line.partition(":")[2].split()[1 if direction == "rx" else 9])

    def snmp(self, name: str, group: str, key: str) -> int:
        lines = self.read(name, "/proc/net/snmp").splitlines()
        names, values = (line.split() for line in lines if line.startswith(f"{group}:"))
        return int(values[names.index(key)])

    def counters(self) -> HopCounters:
        """Forwarding in a kernel stands here for a switch's flows."""
        lane = LaneCounters(
            self.device("van", "out", "tx"),
            self.device("vdpi", "in", "rx"),
            self.snmp("vdpi", "Ip", "ForwDatagrams"),
            self.device("vdpi", "tun", "tx"),
        )
        return HopCounters(
            self.device("cameras", "out", "tx"),
            self.device("van", "in", "rx"),
            self.snmp("van", "Ip", "ForwDatagrams"),
            {"s1/vdpi": lane},
            self.device("sink", "tun", "rx"),
            self.snmp("sink", "Udp", "RcvbufErrors") + self.snmp("sink", "Udp", "NoPorts"),
        )
