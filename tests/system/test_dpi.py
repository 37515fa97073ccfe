"""The real inspection engine on real packets: classes, exact counts, and every way in which it can die."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbedctl.host import netns
from testbedctl.telemetry import inspection
from tests.system.conftest import CHECKOUT

CAMERAS = ("10.77.0.1", "10.77.0.2", "10.77.0.3")
SINK = "10.77.0.9"
PACKETS = 60
FILTER = "inbound and ip and not udp port 4789"


@dataclass(frozen=True)
class Way:
    """A camera's namespace, and the one that the engine inspects."""

    cameras: str
    vdpi: str


@pytest.fixture
def way() -> Iterator[Way]:
    found = Way(f"dpi{os.getpid()}c", f"dpi{os.getpid()}v")
    netns.batch(
        [
            f"netns add {found.cameras}",
            f"netns add {found.vdpi}",
            f"link add cam netns {found.cameras} type veth peer name van netns {found.vdpi}",
        ]
    )
    try:
        addresses = [f"address add {camera}/24 dev cam" for camera in CAMERAS]
        netns.batch([*addresses, "link set cam up", "link set lo up"], namespace=found.cameras)
        netns.batch(
            [f"address add {SINK}/24 dev van", "link set van up", "link set lo up"], namespace=found.vdpi
        )
        yield found
    finally:
        netns.batch([f"netns delete {found.cameras}", f"netns delete {found.vdpi}"], force=True)


class Engine:
    """An engine under test."""

    def __init__(self, way: Way, stats: Path, mode: str, bpf_filter: str = FILTER) -> None:
        self.stats = str(stats)
        argv = [sys.executable, "-m", "testbedctl.vnf.dpi", "--mode", mode, "--stats", self.stats]
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{way.vdpi}", "--", *argv, "--filter", bpf_filter],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )

    def lives(self) -> bool:
        try:
            inspection.read(self.stats)
        except (OSError, ValueError):
            return False
        return True

    def counts(self) -> dict[tuple[str, str], int]:
        return {(c.camera, c.protocol): c.packets for c in inspection.read(self.stats).classes}

    def meters(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def end(self) -> str:
        """Stop it if it still runs; what it said."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.communicate(timeout=10)[1]


@pytest.fixture
def start(way: Way, tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Starts engines, and ends them after the test."""
    engines: list[Engine] = []

    def started(mode: str, **changes: str) -> Engine:
        engines.append(Engine(way, tmp_path / f"{len(engines)}.json", mode, **changes))
        return engines[-1]

    yield started
    for engine in engines:
        engine.end()


def _wait(check: Callable[[], bool], what: str, within_s: float) -> float:
    started = time.monotonic()
    while not check():
        assert time.monotonic() - started < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.02)  # polling, bounded by the deadline
    return time.monotonic() - started


def _dns(number: int) -> bytes:
    """A query for example.org, type A (RFC 1035 §4)."""
    head = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    return head + b"\x07example\x03org\x00" + struct.pack(">HH", 1, 1)


def _rtp(number: int) -> bytes:
    """A packet of one source and one dynamic payload type (RFC 3550 §5.1)."""
    return struct.pack(">BBHII", 0x80, 96, number, number * 3000, 0x1234ABCD) + os.urandom(900)


def _iperf(number: int) -> bytes:
    return struct.pack(">III", int(time.time()), 0, number) + bytes(900)


def _send(way: Way, camera: str, port: int, packet: Callable[[int], bytes]) -> None:
    with netns.inside(way.cameras), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((camera, 40000))
        for number in range(PACKETS):
            sender.sendto(packet(number), (SINK, port))
            time.sleep(0.005)  # a stream, not a burst: 1.5 Mb/s


def _get_over_http(way: Way, camera: str, port: int) -> None:
    with netns.inside(way.vdpi):
        listener = socket.create_server((SINK, port))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with listener:
        server = threading.Thread(target=answer)
        server.start()
        with netns.inside(way.cameras):
            client = socket.create_connection((SINK, port), timeout=5, source_address=(camera, 0))
        with client:
            client.sendall(b"GET /live HTTP/1.1\r\nHost: camera.example.org\r\nUser-Agent: t\r\n\r\n")
            client.recv(1000)
        server.join()


@pytest.mark.parametrize(
    ("mode", "classes"),
    [
        ("payload", {(CAMERAS[0], "RTP"), (CAMERAS[1], "Unknown"), (CAMERAS[2], "HTTP")}),
        ("port", {(CAMERAS[0], "mqtt"), (CAMERAS[1], "port-5201"), (CAMERAS[2], "avt-profile-1")}),
    ],
)
def test_payload_and_port_see_different_classes(
    way: Way, start: Callable[..., Engine], mode: str, classes: set[tuple[str, str]]
) -> None:
    """RTP on the port of MQTT, iperf3's datagrams on its own, and HTTP on the port of RTP."""
    engine = start(mode)
    _wait(engine.lives, "the engine is ready", 30)
    _send(way, CAMERAS[0], 1883, _rtp)
    _send(way, CAMERAS[1], 5201, _iperf)
    _get_over_http(way, CAMERAS[2], 5004)
    _wait(
        lambda: sum(p for (c, _), p in engine.counts().items() if c != CAMERAS[2]) >= 2 * PACKETS,
        "all seen",
        10,
    )
    _wait(lambda: any(camera == CAMERAS[2] for camera, _ in engine.counts()), "the connection was seen", 10)
    counts = engine.counts()
    assert set(counts) == classes
    assert [counts[key] for key in sorted(classes)[:2]] == [PACKETS, PACKETS]


def test_a_protocol_on_its_own_port_is_known_by_its_payload(way: Way, start: Callable[..., Engine]) -> None:
    engine = start("payload")
    _wait(engine.lives, "the engine is ready", 30)
    _send(way, CAMERAS[0], 53, _dns)
    _wait(lambda: sum(engine.counts().values()) >= PACKETS, "all seen", 10)
    assert (CAMERAS[0], "DNS") in engine.counts()


def test_counts_arrive_while_nothing_more_is_sent(way: Way, start: Callable[..., Engine]) -> None:
    """NFStream alone would hold the last second of a stream back until other traffic came."""
    engine = start("port")
    _wait(engine.lives, "the engine is ready", 30)
    _send(way, CAMERAS[0], 5201, _iperf)
    assert _wait(lambda: sum(engine.counts().values()) == PACKETS, "every packet is counted", 6) < 6
    (seen,) = inspection.read(engine.stats).classes
    assert seen.bytes == PACKETS * (20 + 8 + len(_iperf(0)))  # IP and UDP headers
    assert "127.0.0.1" not in {camera for camera, _ in engine.counts()}


def test_what_the_filter_leaves_out_is_not_counted(way: Way, start: Callable[..., Engine]) -> None:
    engine = start("port")
    _wait(engine.lives, "the engine is ready", 30)
    _send(way, CAMERAS[0], 4789, _iperf)
    _send(way, CAMERAS[1], 5201, _iperf)
    _wait(lambda: sum(engine.counts().values()) >= PACKETS, "the other camera is seen", 10)
    assert set(engine.counts()) == {(CAMERAS[1], "port-5201")}


def test_sigterm_ends_engine_and_meter(start: Callable[..., Engine]) -> None:
    engine = start("payload")
    _wait(engine.lives, "the engine is ready", 30)
    meters = engine.meters()
    assert len(meters) == 1
    engine.process.terminate()
    assert engine.process.wait(timeout=2) == 0
    assert not Path(f"/proc/{meters[0]}").exists()


def test_a_killed_engine_takes_its_meter_along_and_is_noticed(start: Callable[..., Engine]) -> None:
    engine = start("port")
    _wait(engine.lives, "the engine is ready", 30)
    (meter,) = engine.meters()
    os.kill(engine.process.pid, signal.SIGKILL)
    engine.process.wait(timeout=2)
    assert _wait(lambda: not engine.lives(), "the stale heartbeat is noticed", 3) < 3
    assert not Path(f"/proc/{meter}").exists() or "\nState:\tZ" in Path(f"/proc/{meter}/status").read_text()


def test_a_killed_meter_ends_the_engine(start: Callable[..., Engine]) -> None:
    engine = start("port")
    _wait(engine.lives, "the engine is ready", 30)
    os.kill(engine.meters()[0], signal.SIGKILL)
    assert engine.process.wait(timeout=3) == 5
    assert "meter process has died" in engine.end()


def test_a_stuck_meter_shows_as_a_stale_heartbeat(start: Callable[..., Engine]) -> None:
    """The engine itself gives up on it after ten seconds only."""
    engine = start("port")
    _wait(engine.lives, "the engine is ready", 30)
    (meter,) = engine.meters()
    os.kill(meter, signal.SIGSTOP)
    try:
        assert _wait(lambda: not engine.lives(), "the stuck meter is noticed", 5) < 5
        assert engine.process.poll() is None
    finally:
        os.kill(meter, signal.SIGCONT)


def test_a_filter_that_is_none(start: Callable[..., Engine]) -> None:
    engine = start("port", bpf_filter="inbound und ip")
    assert engine.process.wait(timeout=20) == 5
    assert "inbound und ip" in engine.end()
    assert not Path(engine.stats).exists()


def test_without_loopback_it_says_what_to_do(way: Way, start: Callable[..., Engine]) -> None:
    netns.batch(["link set lo down"], namespace=way.vdpi)
    engine = start("port")
    assert engine.process.wait(timeout=20) == 5
    assert "ip link set lo up" in engine.end()
