"""Starts the Open vSwitch instances of a plan and tells them their bridges, ports and rules.

VNFs forward in user space even where the kernel has a datapath: what the kernel forwards is billed to
whoever happens to run, so that a quota could not hold it. The switches of the fabric, which nobody measures,
use the kernel's datapath where it exists.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from testbedctl.backends.local.plan import FABRIC, Bridge, Plan, Switch
from testbedctl.backends.local.probe import wait_until
from testbedctl.host import facts
from testbedctl.host.ovs import Instance

START_TIMEOUT_S = 20.0
SOCKET_PATH_LIMIT = 107  # unix(7)
OPENFLOW_PORT = 6653

Start = Callable[[str, str, list[str], dict[str, str]], None]
"""Starts a program on a node: name, node, argument vector, environment."""


def instance(runtime: Path, switch: str) -> Instance:
    """The Open vSwitch instance of a node; a long name is replaced, for a socket's path has a limit."""
    directory = runtime / "ovs" / switch.replace("/", ".")
    if len(str(directory)) > SOCKET_PATH_LIMIT - len("/dbctl.sock"):
        directory = directory.with_name(hashlib.sha256(switch.encode()).hexdigest()[:12])
    return Instance(directory)


def start(plan: Plan, runtime: Path, controller_listens: Callable[[], bool], start_program: Start) -> None:
    """Start all instances side by side; returns when every bridge forwards.

    A controlled bridge is made when the controller listens: a first attempt in vain costs a second.
    """
    kernel = facts.datapath() == "system"

    def one(switch: Switch) -> None:
        ovs = instance(runtime, switch.node)
        datapath = "system" if kernel and switch.node == FABRIC else "netdev"
        _start_daemons(switch, ovs, start_program)
        if switch.controlled:
            wait_until(controller_listens, "the controller", time.monotonic() + START_TIMEOUT_S)
        ovs.transact([*_commands(switch, datapath), *_leave_shaping(plan, switch)])
        for bridge in switch.bridges:
            if switch.flows:
                ovs.add_flows(bridge.name, switch.flows)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(one, plan.switches))


def _start_daemons(switch: Switch, ovs: Instance, start_program: Start) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    ovs.directory.mkdir(parents=True)
    ovs.create_database()
    start_program(f"ovsdb-server {switch.node}", switch.node, ovs.database_argv(), ovs.environment)
    ovs.wait_for(ovs.directory / "db.sock", deadline)
    start_program(f"ovs-vswitchd {switch.node}", switch.node, ovs.switch_argv(), ovs.environment)
    ovs.wait_for(ovs.control, deadline)


def _commands(switch: Switch, datapath: str) -> list[list[str]]:
    # rates are read from rule counters once a second: they must not lag by the default half second
    refresh = ["set", "open_vswitch", ".", "other_config:max-revalidator=100"]
    return [refresh, *(c for bridge in switch.bridges for c in _bridge_commands(switch, bridge, datapath))]


def _leave_shaping(plan: Plan, switch: Switch) -> list[list[str]]:
    """A switch removes what shapes its ports, unless it is told that somebody else manages that."""
    ends = [end for c in plan.cables if c.rate_bps or c.delay_s for end in (c.a, c.b)]
    ports = [end.interface for end in ends if end.node == switch.node]
    if not ports:
        return []
    foreign = ["--id=@foreign", "create", "qos", "type=linux-noop"]
    return [foreign, *(["set", "port", port, "qos=@foreign"] for port in ports)]


def _bridge_commands(switch: Switch, bridge: Bridge, datapath: str) -> list[list[str]]:
    fail_mode = "secure" if switch.controlled or switch.flows else "standalone"
    commands = [
        ["add-br", bridge.name],
        [
            "set",
            "bridge",
            bridge.name,
            f"datapath_type={datapath}",
            f"fail_mode={fail_mode}",
            "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15",
            "mcast_snooping_enable=false",
        ],
    ]
    if bridge.dpid:
        commands.append(["set", "bridge", bridge.name, f"other-config:datapath-id={bridge.dpid}"])
    for number, port in enumerate(bridge.ports, 1):
        commands.append(
            ["add-port", bridge.name, port, "--", "set", "interface", port, f"ofport_request={number}"]
        )
    if switch.controlled:
        commands.append(["set-controller", bridge.name, f"tcp:10.255.0.1:{OPENFLOW_PORT}"])
        commands.append(["set", "controller", bridge.name, "connection_mode=out-of-band"])
    return commands
