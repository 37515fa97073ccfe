"""Cameras move without loss, counters are the switch's own, limits limit."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from testbedctl.sdn.client import Controller, ControllerRefused
from testbedctl.sdn.requests import Percentage
from tests.system.controller.lab import CAMERAS, DPID, ROUTES, SINK, Lab, packets, run, until, wanted
from tests.system.controller.streams import Streams

ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 5001))
print("ready", flush=True)
while True:
    s.sendto(*s.recvfrom(2048))
"""
ASK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0)); s.settimeout(5)
s.sendto(b"hello", (sys.argv[2], 5001))
print(s.recv(2048).decode())
"""


def test_answers_come_back_by_the_routes_before_any_camera_is_known(lab: Lab) -> None:
    lab.controller.put_routes(DPID, ROUTES)
    echo = subprocess.Popen(
        lab.inside("vdpi1", sys.executable, "-c", ECHO, SINK), stdout=subprocess.PIPE, text=True
    )
    try:
        assert echo.stdout is not None
        assert echo.stdout.readline() == "ready\n"
        answer = run(*lab.inside("cam", sys.executable, "-c", ASK, CAMERAS[6], SINK))
    finally:
        echo.kill()
        echo.communicate(timeout=10)
    assert answer == "hello\n"
    assert {key[0] for key in lab.switch_flows()} == {50}


def test_move_and_release_lose_no_packet(lab: Lab, controller: Controller, cookie: int) -> None:
    moved, stays = CAMERAS[0], CAMERAS[1]
    with Streams(lab, {moved: 500, stays: 500}) as streams:
        until("own rule counts", lambda: packets(lab, 100, moved) > 100)
        share, confirmed = controller.create_share(wanted(cookie, moved))
        until("share's rule counts", lambda: packets(lab, 200, moved) > 250)
        before = packets(lab, 100, moved)
        assert controller.shares() == [share]
        controller.delete_share("s1")
        until("own rule counts again", lambda: packets(lab, 100, moved) > before + 250)
    streams.assert_none_lost()
    assert confirmed.applied_unix_s == pytest.approx(time.time(), abs=60)
    assert len(streams.received["vdpi2"][moved]) >= 250
    assert len(streams.received["vdpi1"][moved]) >= 350
    assert list(streams.received["vdpi2"]) == [moved], "only the shared camera reached the other vDPI"
    assert (200, moved, SINK) not in lab.switch_flows()


def test_change_moves_to_another_port_without_loss(lab: Lab, controller: Controller, cookie: int) -> None:
    first, second = CAMERAS[:2]
    with Streams(lab, {first: 500, second: 500}) as streams:
        controller.create_share(wanted(cookie, first))
        until("shared", lambda: packets(lab, 200, first) > 100)
        controller.change_share(wanted(cookie, first, second, port="vdpi3"))
        until("second shared", lambda: packets(lab, 200, second) > 250)
        controller.change_share(wanted(cookie, second, port="vdpi3"))
        assert (200, first, SINK) not in lab.switch_flows()
        own = packets(lab, 100, first)
        until("first is back", lambda: packets(lab, 100, first) > own + 100)
    streams.assert_none_lost()
    assert streams.received["vdpi2"].keys() == {first}
    assert streams.received["vdpi3"].keys() == {first, second}


def test_counters_and_rates_are_the_switchs(lab: Lab, controller: Controller, cookie: int) -> None:
    with Streams(lab, {CAMERAS[0]: 200, CAMERAS[1]: 50}, size_bytes=958):  # frames of 1,000 bytes
        controller.flows(DPID)
        until("packets are counted", lambda: packets(lab, 100, CAMERAS[0]) > 600)
        flows = {flow.source: flow for flow in controller.flows(DPID) if flow.priority == 100}
        assert flows[CAMERAS[0]].rate_bps == pytest.approx(1.6e6, rel=0.3)
        assert flows[CAMERAS[1]].rate_bps == pytest.approx(0.4e6, rel=0.3)
    until(
        "counters settle", lambda: packets(lab, 100, CAMERAS[0]) == controller_packets(controller, CAMERAS[0])
    )
    ports = {port.port: port for port in controller.ports(DPID)}
    assert ports["vdpi1"].tx_packets >= packets(lab, 100, CAMERAS[0])
    assert ports["cam"].number == lab.port_numbers()["cam"]
    assert {flow.cookie for flow in controller.flows(DPID) if flow.priority == 100} == {cookie}


def controller_packets(controller: Controller, source: str) -> int:
    return sum(
        flow.packets for flow in controller.flows(DPID) if (flow.priority, flow.source) == (100, source)
    )


def test_a_percentage_becomes_whole_cameras(lab: Lab, controller: Controller, cookie: int) -> None:
    rates = dict(zip(CAMERAS[:4], (400, 300, 200, 100), strict=True))
    with Streams(lab, rates) as streams:
        until("packets are counted", lambda: packets(lab, 100, CAMERAS[3]) > 100)
        prefix = SINK.rpartition(".")[0] + ".0/24"  # an address would do as well
        asked = replace(wanted(cookie), flows=Percentage(prefix, 55))
        share, _ = controller.create_share(asked)
        until("shared", lambda: all(packets(lab, 200, pair.source) > 50 for pair in share.flows))
        with pytest.raises(ControllerRefused, match="no whole camera") as refused:
            controller.create_share(replace(asked, id="s2", flows=Percentage(SINK, 5)))
        assert refused.value.status == 409
    streams.assert_none_lost()
    total = sum(rates[pair.source] for pair in share.flows)
    assert total == 500  # 400 + 100 or 300 + 200: the closest to 55 % that whole cameras allow


def test_meters_limit_each_share_to_its_own_rate(lab: Lab, controller: Controller, cookie: int) -> None:
    slow, fast = CAMERAS[:2]
    controller.create_share(replace(wanted(cookie, slow, id="slow"), limit_bps=1_000_000))
    controller.create_share(replace(wanted(cookie, fast, id="fast", port="vdpi3"), limit_bps=3_000_000))
    start = time.monotonic()
    with Streams(
        lab, {slow: 500, fast: 500}, size_bytes=1208
    ) as streams:  # 5 Mb/s each, of 1,250-byte frames
        until("enough was offered", lambda: packets(lab, 200, slow) > 1500, 20)
        duration = time.monotonic() - start
    rates = {
        source: len(streams.received[port][source]) * 1250 * 8 / duration
        for source, port in ((slow, "vdpi2"), (fast, "vdpi3"))
    }
    assert rates[slow] == pytest.approx(1e6, rel=0.35)
    assert rates[fast] == pytest.approx(3e6, rel=0.35)
    controller.change_share(wanted(cookie, slow, id="slow"))  # no limit any more
    with Streams(lab, {slow: 500}, size_bytes=1208) as free:
        until("enough was offered", lambda: packets(lab, 200, slow) > 2500, 20)
    free.assert_none_lost()
    controller.delete_share("fast")
    controller.delete_share("slow")
    management = f"unix:{lab.directory}/br.mgmt"
    meters = run(*lab.inside("sw", "ovs-ofctl", "-O", "OpenFlow13", "dump-meters", management))
    assert "meter=" not in meters


def test_of_many_clients_at_once_one_gets_each_camera(lab: Lab, controller: Controller, cookie: int) -> None:
    won: list[str] = []
    statuses: list[int] = []

    def ask(number: int) -> None:
        try:
            share, _ = controller.create_share(wanted(cookie, CAMERAS[number % 4], id=f"s{number}"))
            won.append(share.flows[0].source)
        except ControllerRefused as refused:
            statuses.append(refused.status)

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(20)
    assert sorted(won) == CAMERAS[:4]
    assert statuses == [409] * 16
    shared = {source for priority, source, _ in lab.switch_flows() if priority == 200}
    assert sorted(shared) == CAMERAS[:4]
