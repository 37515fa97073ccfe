"""Starts the Open vSwitch instances of a plan and tells them their bridges, ports and rules.

VNFs forward in user space even where the kernel has a datapath: what the kernel forwards is billed to
whoever happens to run, so that a quota could not hold it. The switches of the fabric, which nobody measures,
use the kernel's datapath where it exists.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from testbedctl.backends.local.plan import FABRIC, Bridge, Plan, Switch
from testbedctl.errors import RunFailed
from testbedctl.host.ovs import Instance

START_TIMEOUT_S = 20.0
OPENFLOW_PORT = 6653

Start = Callable[[str, str, list[str], dict[str, str]], None]
"""Starts a program on a node: name, node, argument vector, environment."""


def instance(runtime: Path, switch: str) -> Instance:
    """The Open vSwitch instance of a node."""
    return Instance(runtime / "ovs" / switch.replace("/", "."))


def start(plan: Plan, runtime: Path, controller: str | None, start_program: Start, kernel_datapath: bool) -> None:
    """Start all instances side by side; returns when every bridge forwards.

    ``controller`` is the OpenFlow address that controlled bridges connect to.
    """

    def one(switch: Switch) -> None:
        ovs = instance(runtime, switch.node)
        datapath = "system" if kernel_datapath and switch.node == FABRIC else "netdev"
        _start_one(switch, ovs, datapath, controller, start_program)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(one, plan.switches))


def _start_one(switch: Switch, ovs: Instance, datapath: str, controller: str | None, start_program: Start) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    ovs.directory.mkdir(parents=True)
    ovs.create_database()
    start_program(f"ovsdb-server {switch.node}", switch.node, ovs.database_argv(), ovs.environment)
    ovs.wait_for(ovs.directory / "db.sock", deadline)
    start_program(f"ovs-vswitchd {switch.node}", switch.node, ovs.switch_argv(), ovs.environment)
    ovs.wait_for(ovs.control, deadline)
    # rates are read from rule counters once a second: they must not lag by the default half second
    commands = [["set", "open_vswitch", ".", "other_config:max-revalidator=100"]]
    commands += [c for bridge in switch.bridges for c in _bridge_commands(switch, bridge, datapath, controller)]
    ovs.transact(commands)
    for bridge in switch.bridges:
        if switch.flows:
            ovs.add_flows(bridge.name, switch.flows)


def _bridge_commands(switch: Switch, bridge: Bridge, datapath: str, controller: str | None) -> list[list[str]]:
    fail_mode = "secure" if switch.controlled or switch.flows else "standalone"
    commands = [
        ["add-br", bridge.name],
        ["set", "bridge", bridge.name, f"datapath_type={datapath}", f"fail_mode={fail_mode}",
         "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15", "mcast_snooping_enable=false"],
    ]
    if bridge.dpid:
        commands.append(["set", "bridge", bridge.name, f"other-config:datapath-id={bridge.dpid}"])
    for number, port in enumerate(bridge.ports, 1):
        commands.append(["add-port", bridge.name, port, "--", "set", "interface", port, f"ofport_request={number}"])
    if switch.controlled:
        if controller is None:
            raise RunFailed(f"{switch.node} needs a controller, and there is none")
        commands.append(["set-controller", bridge.name, controller])
        commands.append(["set", "controller", bridge.name, "connection-mode=out-of-band", "max_backoff=1000"])
    return commands
