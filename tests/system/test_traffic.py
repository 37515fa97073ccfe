"""Cameras through four real namespaces (``traffic_way``): counts, planted losses, children that die."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from testbedctl.errors import RunFailed
from testbedctl.traffic import iperf
from testbedctl.traffic.flows import FlowRow
from testbedctl.traffic.generator import Generator, Tool
from testbedctl.traffic.hops import attribute
from testbedctl.traffic.iperf import Iperf
from testbedctl.traffic.replay import Replay
from testbedctl.traffic.schedule import Camera, Schedule, Step
from tests.system.traffic_way import SINK, Way

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for network namespaces"),
    pytest.mark.skipif(shutil.which("iperf3") is None, reason="needs iperf3"),
]

SERVICE = "s1"


@pytest.fixture
def way() -> Iterator[Way]:
    built = Way()
    try:
        built.build()
        yield built
    finally:
        built.destroy()


def plan(*spans: tuple[int, int, int]) -> Schedule:
    """Cameras of (rate, start, stop), one step a second."""
    cameras = tuple(
        Camera(f"{SERVICE}/{n}", SERVICE, n, rate, start, stop, f"10.98.0.{n}", SINK, 5400 + n)
        for n, (rate, start, stop) in enumerate(spans, 1)
    )
    end = max(stop for _, _, stop in spans)
    return Schedule(SERVICE, end, tuple(Step(n + 1, n, n + 1, 0.0) for n in range(end)), cameras)


def generator(way: Way, schedule: Schedule, tool: Tool, tmp_path: Path) -> Generator:
    return Generator(way, schedule, tool, {SERVICE: f"{SERVICE}/sink"}, tmp_path)


def drive(
    running: Generator, plant: Callable[[float], None] = lambda _: None, limit_s: float = 30.0
) -> list[FlowRow]:
    """Poll as a trial does, 20 times a second, and plant faults by the trial's time."""
    running.prepare()
    began = running.begin()
    while not running.poll():
        plant(time.monotonic() - began)
        assert time.monotonic() - began < limit_s
        time.sleep(0.05)
    return running.rows()


def total(rows: Sequence[FlowRow], column: str) -> int:
    return sum(getattr(row, column) for row in rows)


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_cameras_come_and_go_and_everything_arrives(way: Way, tmp_path: Path, kind: str) -> None:
    schedule = plan((2_000_000, 0, 4), (3_000_000, 1, 3))
    with generator(way, schedule, Iperf(kind, 1400), tmp_path) as running:  # type: ignore[arg-type]
        rows = drive(running)
    assert [(r.camera, r.second, r.step) for r in rows] == [
        *(("s1/1", second, second + 1) for second in range(4)),
        *(("s1/2", second, second + 1) for second in (1, 2)),
    ]
    for row in rows:
        rate = 2_000_000 if row.camera == "s1/1" else 3_000_000
        assert row.sent_bytes * 8 == pytest.approx(rate, rel=0.05)
    assert total(rows, "delivered_bytes") == total(rows, "sent_bytes")
    if kind == "udp":
        assert total(rows, "lost_packets") == 0
        assert total(rows, "delivered_packets") * 1400 == total(rows, "delivered_bytes")
    assert all(child.poll() == 0 for _, child in way.children)


def test_only_the_data_takes_the_measured_path(way: Way, tmp_path: Path) -> None:
    before = way.counters()
    with generator(way, plan((2_000_000, 0, 2)), Iperf("udp", 1400), tmp_path) as running:
        rows = drive(running)
    sent = total(rows, "sent_packets")
    assert way.counters().van_flow - before.van_flow == sent


def test_a_camera_connects_over_a_full_path(way: Way, tmp_path: Path) -> None:
    """The stream's first datagrams are not repeated by iperf3; they must not depend on the measured path."""
    way.tc("van", "qdisc add dev out root tbf rate 1mbit burst 3k limit 3k")
    with generator(way, plan((8_000_000, 0, 3), (4_000_000, 1, 3)), Iperf("udp", 1400), tmp_path) as running:
        rows = drive(running)
    assert {row.camera for row in rows} == {"s1/1", "s1/2"}
    sent, delivered = total(rows, "sent_packets"), total(rows, "delivered_packets")
    assert delivered < sent / 2
    assert total(rows, "lost_packets") == sent - delivered


SHAPER = "qdisc add dev {} root tbf rate 2mbit burst 4k limit 4k"


def shape(node: str, device: str) -> Callable[[Way, float], None]:
    def plant(way: Way, at_s: float) -> None:
        if at_s < 0:
            way.tc(node, SHAPER.format(device))

    return plant


def stop_forwarding(node: str) -> Callable[[Way, float], None]:
    def plant(way: Way, at_s: float) -> None:
        if at_s >= 0:
            way.sysctl(node, f"net.ipv4.ip_forward={0 if 1 <= at_s < 1.5 else 1}")

    return plant


def close_the_tunnel(way: Way, at_s: float) -> None:
    if at_s >= 0:
        way.ip("sink", f"link set tun {'down' if 1 <= at_s < 1.5 else 'up'}")


def freeze_the_receiver(way: Way, at_s: float) -> None:
    server = next(child for first, child in way.children if first == "-s") if at_s >= 0 else None
    if server:
        os.kill(server.pid, signal.SIGSTOP if 1 <= at_s < 1.5 else signal.SIGCONT)


PLANTS = {
    "sender": shape("cameras", "out"),
    "van_ring": stop_forwarding("van"),
    "van_transmit": shape("van", "out"),
    "vdpi_ring": stop_forwarding("vdpi"),
    "vdpi_transmit": shape("vdpi", "tun"),
    "tunnel": close_the_tunnel,
    "receiver_socket": freeze_the_receiver,
}


@pytest.mark.parametrize("hop", PLANTS)
def test_a_planted_loss_is_found_at_its_hop(
    way: Way, tmp_path: Path, hop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iperf, "WINDOW_BYTES", 40_000)  # a frozen receiver overflows at a low rate
    plant = PLANTS[hop]
    with generator(way, plan((4_000_000, 0, 3)), Iperf("udp", 1400), tmp_path) as running:
        before = way.counters()
        plant(way, -1.0)
        rows = drive(running, lambda at_s: plant(way, at_s))
    sent, delivered = total(rows, "sent_packets"), total(rows, "delivered_packets")
    lost = attribute(before, way.counters(), sent, delivered)
    assert sent - delivered > 50
    assert sum(lost.values()) == sent - delivered
    assert lost[hop] >= 0.9 * (sent - delivered)
    assert abs(lost["unattributed"]) <= 0.02 * sent


def test_an_untouched_way_loses_nothing_anywhere(way: Way, tmp_path: Path) -> None:
    with generator(way, plan((4_000_000, 0, 2)), Iperf("udp", 1400), tmp_path) as running:
        before = way.counters()
        rows = drive(running)
    lost = attribute(before, way.counters(), total(rows, "sent_packets"), total(rows, "delivered_packets"))
    assert set(lost.values()) == {0}


@pytest.mark.parametrize(("side", "flag"), [("server", "-s"), ("client", "-c")])
def test_a_killed_process_is_named_within_three_seconds(
    way: Way, tmp_path: Path, side: str, flag: str
) -> None:
    killed_at: list[float] = []

    def kill(at_s: float) -> None:
        if at_s > 0.7 and not killed_at:
            child = next(child for first, child in way.children if first == flag)
            child.kill()
            killed_at.append(time.monotonic())

    running = generator(way, plan((1_000_000, 0, 20)), Iperf("udp", 1400), tmp_path)
    with pytest.raises(RunFailed, match=rf"camera s1/1: {side} ended with -9"), running:
        drive(running, kill)
    assert time.monotonic() - killed_at[0] < 3
    assert all(child.poll() is not None for _, child in way.children)


def test_an_interruption_ends_every_child_and_no_other(way: Way, tmp_path: Path) -> None:
    bystander = way.exec("s1/sink", ["iperf3", "-s", "-p", "5999", "-B", SINK])

    def interrupt(at_s: float) -> None:
        if at_s > 0.5:
            raise KeyboardInterrupt

    running = generator(way, plan((1_000_000, 0, 20), (1_000_000, 10, 20)), Iperf("udp", 1400), tmp_path)
    with pytest.raises(KeyboardInterrupt), running:
        drive(running, interrupt)
    others = [child for _, child in way.children if child is not bystander]
    assert all(child.poll() is not None for child in others)
    assert bystander.poll() is None


def test_a_server_that_cannot_listen_is_named(way: Way, tmp_path: Path) -> None:
    way.ip("sink", f"addr del {SINK}/32 dev lo")
    running = generator(way, plan((1_000_000, 0, 2)), Iperf("udp", 1400), tmp_path)
    with (
        pytest.raises(RunFailed, match=r"camera s1/1: server ended with 1 .*Cannot assign requested address"),
        running,
    ):
        running.prepare()


def test_a_path_that_carries_nothing_is_an_error(way: Way, tmp_path: Path) -> None:
    way.ip("vdpi", "link set tun down")
    running = generator(way, plan((1_000_000, 0, 1)), Iperf("udp", 1400), tmp_path)
    with pytest.raises(RunFailed, match="camera s1/1: iperf3 server: not one datagram arrived"), running:
        drive(running)


def capture(path: Path, payloads: Sequence[bytes]) -> Path:
    """A classic pcap of UDP over IPv4 over Ethernet."""
    records = []
    for payload in payloads:
        udp = struct.pack("!4H", 4000, 53, 8 + len(payload), 0) + payload
        addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + addresses
        frame = bytes(12) + b"\x08\x00" + ip + udp
        records.append(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    return path


def test_a_capture_is_replayed_at_the_cameras_rate(way: Way, tmp_path: Path) -> None:
    tool = Replay(capture(tmp_path / "two.pcap", [b"a" * 900, b"b" * 300]))
    before = way.counters()
    with generator(way, plan((1_000_000, 0, 3)), tool, tmp_path / "out") as running:
        rows = drive(running)
    for row in rows:
        assert row.sent_bytes * 8 == pytest.approx(1_000_000, rel=0.05)
    sent = total(rows, "sent_packets")
    assert total(rows, "delivered_packets") == sent
    assert total(rows, "delivered_bytes") == sent // 2 * 1200 + sent % 2 * 900
    assert way.counters().van_flow - before.van_flow == sent


def test_a_replay_counts_what_was_lost(way: Way, tmp_path: Path) -> None:
    tool = Replay(capture(tmp_path / "one.pcap", [b"a" * 1000]))
    way.tc("van", SHAPER.format("out"))
    with generator(way, plan((6_000_000, 0, 2)), tool, tmp_path / "out") as running:
        rows = drive(running)
    sent, delivered = total(rows, "sent_packets"), total(rows, "delivered_packets")
    assert 0.2 * sent < delivered < 0.5 * sent
    assert total(rows, "lost_packets") == sent - delivered


def test_a_broken_capture_ends_the_run_with_its_reason(way: Way, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"not a capture")
    with (
        pytest.raises(RunFailed, match=r"camera s1/1: client ended with 1 .*not a classic pcap"),
        generator(way, plan((1_000_000, 0, 3)), Replay(broken), tmp_path / "out") as running,
    ):
        drive(running)
