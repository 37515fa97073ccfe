"""Restarts, silence and lost ports: what is in force stays in force, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from testbedctl.errors import RunFailed
from testbedctl.sdn.client import Controller, ControllerRefused
from testbedctl.sdn.rules import Camera, Pair
from tests.system.controller.lab import (
    CAMERAS,
    DPID,
    PREFIX,
    ROOT,
    ROUTES,
    SINK,
    VDPI_PORTS,
    WAIT_S,
    Lab,
    packets,
    run,
    until,
    wanted,
)
from tests.system.controller.streams import Streams


def test_a_restarted_controller_keeps_and_clears_what_it_does_not_remember(
    lab: Lab, controller: Controller, cookie: int
) -> None:
    moved, other = CAMERAS[:2]
    controller.create_share(replace(wanted(cookie, moved), limit_bps=50_000_000))
    controller.create_share(wanted(cookie, other, id="s2"))
    with Streams(lab, {moved: 500, other: 500}) as streams:
        lab.stop("controller", signal.SIGKILL)
        at_death = packets(lab, 200, moved)
        until("rules work without a controller", lambda: packets(lab, 200, moved) > at_death + 250)
        with pytest.raises(RunFailed, match="does not answer"):
            controller.health()
        lab.start_controller()
        controller.wait_for(DPID, VDPI_PORTS, WAIT_S)
        assert controller.shares() == []
        listed = {(flow.priority, flow.source) for flow in controller.flows(DPID) if flow.cookie == cookie}
        assert {(200, moved), (200, other), (100, moved)} <= listed
        controller.put_routes(DPID, ROUTES)
        controller.create_share(replace(wanted(cookie, moved), limit_bps=50_000_000))  # announced again
        assert (200, other, SINK) in lab.switch_flows(), "the one not yet announced stays"
        controller.delete_run(cookie)
        assert {key[0] for key in lab.switch_flows()} == {50}
        own = packets(lab, 50, PREFIX)
        until("the route takes over", lambda: packets(lab, 50, PREFIX) > own + 250)
    streams.assert_none_lost()
    management = f"unix:{lab.directory}/br.mgmt"
    assert "meter=" not in run(*lab.inside("sw", "ovs-ofctl", "-O", "OpenFlow13", "dump-meters", management))


def test_a_restarted_switch_gets_its_rules_back(lab: Lab, controller: Controller, cookie: int) -> None:
    controller.create_share(replace(wanted(cookie, CAMERAS[0]), limit_bps=2_000_000))
    before = {key: value[1:] for key, value in lab.switch_flows().items()}
    lab.stop_switch()
    until("the controller notices", lambda: controller.switches() == [], 3)
    with pytest.raises(ControllerRefused, match="not connected") as refused:
        controller.create_share(wanted(cookie, CAMERAS[1], id="s2"))
    assert refused.value.status == 503
    with pytest.raises(ControllerRefused, match="not connected"):
        controller.delete_run(cookie)
    lab.start_switch()
    controller.wait_for(DPID, ("cam", *VDPI_PORTS), WAIT_S)
    until("rules are back", lambda: {k: v[1:] for k, v in lab.switch_flows().items()} == before)
    with Streams(lab, {CAMERAS[0]: 100, CAMERAS[1]: 100}) as streams:
        until(
            "traffic passes",
            lambda: packets(lab, 200, CAMERAS[0]) > 50 and packets(lab, 100, CAMERAS[1]) > 50,
        )
    streams.assert_none_lost()


def test_a_port_with_a_new_number_keeps_its_rules(lab: Lab, controller: Controller, cookie: int) -> None:
    controller.create_share(wanted(cookie, CAMERAS[0]))
    old = lab.port_numbers()["vdpi2"]
    lab.vsctl("del-port", "br", "vdpi2")
    until("the share's rule is withdrawn", lambda: (200, CAMERAS[0], SINK) not in lab.switch_flows())
    lab.vsctl("add-port", "br", "vdpi2", "--", "set", "Interface", "vdpi2", "ofport_request=77")
    until(
        "the rule follows the port",
        lambda: lab.switch_flows().get((200, CAMERAS[0], SINK), (0, 0, 0))[1] == 77,
    )
    assert old != 77


def test_a_switch_that_does_not_answer_in_time(lab: Lab, controller: Controller, cookie: int) -> None:
    lab.processes["vswitchd"].send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ControllerRefused, match="did not answer within 2 s") as refused:
            controller.create_share(wanted(cookie, CAMERAS[0]))
        assert refused.value.status == 504
        assert controller.shares() == []
    finally:
        lab.processes["vswitchd"].send_signal(signal.SIGCONT)
    controller.wait_for(DPID, VDPI_PORTS, WAIT_S)
    until("what was not confirmed is taken back", lambda: (200, CAMERAS[0], SINK) not in lab.switch_flows())
    assert (100, CAMERAS[0], SINK) in lab.switch_flows()


def test_a_full_table_is_reported_and_changes_nothing(lab: Lab, controller: Controller, cookie: int) -> None:
    before = lab.switch_flows().keys()
    entries = len(controller.flows(DPID))
    table = ["create", "Flow_Table", f"flow_limit={entries + 1}", "overflow_policy=refuse"]
    lab.vsctl("--", "--id=@table", *table, "--", "set", "bridge", "br", "flow_tables:0=@table")
    try:
        with pytest.raises(ControllerRefused, match="TABLE_FULL") as refused:
            controller.create_share(wanted(cookie, *CAMERAS[:3]))
        assert refused.value.status == 502
        assert controller.shares() == []
        until("the rule that found room is taken back", lambda: lab.switch_flows().keys() == before)
        controller.create_share(wanted(cookie, CAMERAS[0]))
    finally:
        lab.vsctl("clear", "bridge", "br", "flow_tables")
    assert (200, CAMERAS[0], SINK) in lab.switch_flows()


def test_the_controller_ends_cleanly_and_leaves_the_rules(
    lab: Lab, controller: Controller, cookie: int
) -> None:
    controller.create_share(wanted(cookie, CAMERAS[0]))
    assert lab.stop("controller") == 0
    assert not lab.socket.exists()
    assert (200, CAMERAS[0], SINK) in lab.switch_flows()
    lab.start_controller()
    controller.wait_for(DPID, VDPI_PORTS, WAIT_S)
    controller.put_routes(DPID, ROUTES)


def test_all_runs_are_removed_also_those_of_an_earlier_controller(
    lab: Lab, controller: Controller, cookie: int
) -> None:
    """Routes stay, and so does what somebody else put on the switch."""
    controller.create_share(replace(wanted(cookie, CAMERAS[0]), limit_bps=2_000_000))
    foreign = "priority=200,ip,nw_src=192.0.2.1,nw_dst=192.0.2.2,actions=output:1"
    management = f"unix:{lab.directory}/br.mgmt"
    run(*lab.inside("sw", "ovs-ofctl", "-O", "OpenFlow13", "add-flow", management, foreign))
    lab.stop("controller")
    lab.start_controller()
    controller.wait_for(DPID, VDPI_PORTS, WAIT_S)
    controller.put_routes(DPID, ROUTES)
    assert (200, CAMERAS[0], SINK) in lab.switch_flows()
    controller.put_cameras(DPID, cookie + 1, [Camera(Pair(CAMERAS[5], SINK), "vdpi1")])
    controller.delete_all_runs()
    left = lab.switch_flows()
    assert {key[0] for key in left} == {50, 200}
    assert (200, "192.0.2.1", "192.0.2.2") in left
    controller.put_cameras(DPID, cookie + 2, [Camera(Pair(CAMERAS[0], SINK), "vdpi1")])
    controller.delete_all_runs()
    run(*lab.inside("sw", "ovs-ofctl", "-O", "OpenFlow13", "del-flows", management, "ip,nw_src=192.0.2.1"))


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"--listen": "0.0.0.0"}, 2, "neither a loopback nor a private address"),
        ({"--listen": "8.8.8.8"}, 2, "neither a loopback nor a private address"),
        ({"--northbound": "tcp:0.0.0.0:8080"}, 2, "neither a loopback nor a private address"),
        ({"--northbound": "carrier-pigeon"}, 2, "neither unix:/path nor tcp:ADDRESS:PORT"),
        ({"--northbound": "unix:{dir}/open-token"}, 4, "is in the way and is no socket"),
        ({"--northbound": "unix:{dir}/nb.sock"}, 4, "another process listens"),
        ({"--token-file": "{dir}/open-token"}, 4, "is open to others"),
        ({"--token-file": "{dir}/no-token"}, 4, "cannot be read"),
        ({"--port": "6653"}, 4, "cannot listen for switches at 127.0.0.1:6653"),
    ],
)
@pytest.mark.usefixtures("controller")
def test_a_controller_that_cannot_start_says_why(
    lab: Lab, changes: dict[str, str], code: int, words: str
) -> None:
    (lab.directory / "open-token").write_text("0" * 32)
    (lab.directory / "open-token").chmod(0o644)
    settings = {
        "--listen": "127.0.0.1",
        "--port": "6700",
        "--northbound": f"unix:{lab.directory}/other.sock",
        "--token-file": f"{lab.directory}/token",
    }
    settings |= {key: value.format(dir=lab.directory) for key, value in changes.items()}
    argv = [part for pair in settings.items() for part in pair]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = lab.inside("sw", sys.executable, "-m", "testbedctl.sdn", *argv)
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (lab.directory / "other.sock").exists()
