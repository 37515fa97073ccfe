"""A switch with a control group of its own between a camera and a sink, all in namespaces of a test's own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbedctl.host import cgroup, netns
from testbedctl.telemetry.config import AgentConfig, Cgroups, Limits, SwitchControl, VnfSources
from tests.system.conftest import CHECKOUT

ALLOWED, REFUSED, SINK = "10.78.0.1", "10.78.0.2", "10.78.0.9"
FLOWS = f"""priority=200,ip,in_port=1,nw_src={ALLOWED},nw_dst={SINK},actions=output:2
priority=200,ip,in_port=1,nw_src={REFUSED},nw_dst={SINK},actions=drop
priority=100,arp,actions=NORMAL
"""


@dataclass(frozen=True)
class Lab:
    """A camera, a switch with a control group of its own, a sink."""

    cameras: str
    van: str
    config: AgentConfig
    switch_pid: int
    directory: Path

    def send(self, source: str, packets: int) -> None:
        """Datagrams of 500 bytes from one of the cameras to the sink, 1,000 a second."""
        with netns.inside(self.cameras), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            for _ in range(packets):
                sender.sendto(bytes(500), (SINK, 6000))
                time.sleep(0.001)  # a stream, not a burst


def wait(check: Callable[[], bool], what: str, within_s: float) -> None:
    """Poll until it is so; fails after ``within_s``."""
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)  # polling, bounded by the deadline


@contextmanager
def running(namespace: str, argv: Sequence[str], log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a namespace, killed after the body."""
    with log.open("ab") as file:
        child = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{namespace}", "--", *argv],
            stdout=file,
            stderr=file,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), **env},
        )
        try:
            yield child
        finally:
            child.kill()
            child.wait()


@contextmanager
def namespaces(*names: str) -> Iterator[None]:
    """Namespaces with their loopback up; gone after the body."""
    netns.batch([f"netns add {name}" for name in names])
    try:
        for name in names:
            netns.batch(["link set lo up"], namespace=name)
        yield
    finally:
        netns.batch([f"netns delete {name}" for name in names], force=True)


def _wire(cameras: str, van: str, sink: str) -> None:
    netns.batch(
        [
            f"link add cam netns {cameras} mtu 1400 type veth peer name in netns {van}",
            f"link add out netns {van} mtu 1400 type veth peer name sink netns {sink}",
        ]
    )
    addresses = [f"address add {a}/24 dev cam" for a in (ALLOWED, REFUSED)]
    netns.batch([*addresses, "link set cam up"], namespace=cameras)
    netns.batch(["link set in up", "link set out up"], namespace=van)
    netns.batch([f"address add {SINK}/24 dev sink", "link set sink up"], namespace=sink)
    for name, link in ((cameras, "cam"), (van, "in"), (van, "out"), (sink, "sink")):
        with netns.inside(name):
            subprocess.run(
                ["ethtool", "-K", link, "tx", "off", "gro", "off"], check=True, capture_output=True
            )


@contextmanager
def switched(hierarchy: cgroup.Hierarchy, group: str, tmp_path: Path) -> Iterator[Lab]:
    """The lab, with its switch in a control group; gone after the body."""
    cameras, van, sink = (f"tel{os.getpid()}{suffix}" for suffix in "cvs")
    run = {"OVS_RUNDIR": str(tmp_path)}
    database, control = f"unix:{tmp_path}/db.sock", tmp_path / "vs.ctl"
    vsctl = ["ovs-vsctl", f"--db={database}", "--timeout=10"]
    with ExitStack() as stack:
        stack.enter_context(namespaces(cameras, van, sink))
        _wire(cameras, van, sink)
        schema = "/usr/share/openvswitch/vswitch.ovsschema"
        subprocess.run(["ovsdb-tool", "create", tmp_path / "conf.db", schema], check=True)
        argv = [
            "ovsdb-server",
            str(tmp_path / "conf.db"),
            f"--remote=p{database}",
            f"--unixctl={tmp_path}/db.ctl",
        ]
        stack.enter_context(running(van, argv, tmp_path / "log", **run))
        wait((tmp_path / "db.sock").exists, "the database", 10)
        subprocess.run([*vsctl, "--no-wait", "init"], check=True)
        argv = ["ovs-vswitchd", database, f"--unixctl={control}"]
        switch = stack.enter_context(running(van, argv, tmp_path / "log", **run))
        for directory in hierarchy.directories(group):
            (directory / "cgroup.procs").write_text(str(switch.pid))
        bridge = "add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
        for number, port in enumerate(("in", "out"), 1):
            bridge += f" -- add-port br0 {port} -- set interface {port} ofport_request={number}"
        subprocess.run([*vsctl, *bridge.split()], check=True)
        (tmp_path / "flows").write_text(FLOWS)
        subprocess.run(
            ["ovs-ofctl", "add-flows", f"unix:{tmp_path}/br0.mgmt", tmp_path / "flows"], check=True
        )
        yield Lab(cameras, van, _config(hierarchy, group, control, van), switch.pid, tmp_path)


def _config(hierarchy: cgroup.Hierarchy, group: str, control: Path, namespace: str) -> AgentConfig:
    vnf = VnfSources(
        key="service1/van",
        service="service1",
        vnf="van",
        vnf_type="van",
        vnf_class="T1",
        cgroups=Cgroups.of(hierarchy, group),
        interfaces=("in",),
        limits=Limits(0.5, 512 * 2**20, 5e7, 1.25e8),
        ovs=SwitchControl(str(control), "br0"),
        netns=namespace,
    )
    return AgentConfig("lab", "edge", ("127.0.0.1", 9101), (vnf,))
