"""Captures: what is read from them, what is refused, and a replay over the loopback."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbedctl.errors import InvalidFile, RunFailed
from testbedctl.traffic.pcap import udp_payloads
from testbedctl.traffic.replay import Replay, main
from testbedctl.traffic.schedule import Camera


def frame(
    payload: bytes,
    *,
    tag: bytes = b"",
    protocol: int = 17,
    fragment: int = 0,
    version: int = 4,
    ethertype: bytes = b"\x08\x00",
) -> bytes:
    udp = struct.pack("!4H", 4000, 53, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", version << 4 | 5, 0, 20 + len(udp), 1, fragment, 64, protocol, 0)
    return bytes(12) + tag + ethertype + head + bytes(8) + udp


def pcap(frames: list[bytes], *, order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1) -> bytes:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack(order + "IIII", 0, 0, len(f), len(f)) + f for f in frames)


def stored(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "capture.pcap"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_payloads_are_read_in_their_order(tmp_path: Path, order: str, magic: int) -> None:
    frames = [
        frame(b"first"),
        frame(b"ignored", protocol=6),
        frame(b"ignored", ethertype=b"\x86\xdd"),
        frame(b"ignored", fragment=0x2000),
        frame(b"ignored", version=6),
        frame(b""),
        frame(b"short")[:-2],
        frame(b"tagged", tag=b"\x81\x00\x00\x05") + b"padding of a short frame",
        b"",
    ]
    assert udp_payloads(stored(tmp_path, pcap(frames, order=order, magic=magic))) == [b"first", b"tagged"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a classic pcap"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "not a classic pcap"),
        (pcap([])[:20], "not a classic pcap"),
        (pcap([frame(b"x")], link=101), "link type 101, not Ethernet .* LINUX_SLL2"),
        (pcap([frame(b"x")])[:-1], "record 1 is cut short"),
        (pcap([frame(b"x")]) + b"\x00", "record 2 is cut short"),
        (pcap([]) + struct.pack("<IIII", 0, 0, 2**31, 2**31), "record 1 is cut short"),
        (pcap([]), "no whole UDP payload"),
        (pcap([frame(b"x", protocol=6)]), "no whole UDP payload"),
        (pcap([frame(bytes(1449))]), "1449 bytes; 1448 fit"),
    ],
)
def test_a_bad_capture_is_refused_with_its_reason(tmp_path: Path, content: bytes, message: str) -> None:
    path = stored(tmp_path, content)
    with pytest.raises(InvalidFile, match=message) as caught:
        udp_payloads(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


ETHERNET, SLL, SLL2 = 1, 113, 276


def cooked(whole: bytes, link: int) -> bytes:
    """The same frame as ``tcpdump -i any`` writes it."""
    kind, rest = whole[12:14], whole[14:]
    if link == SLL:
        return struct.pack("!HHH8s", 0, 1, 6, bytes(8)) + kind + rest
    return kind + struct.pack("!HIHBB8s", 0, 7, 1, 0, 6, bytes(8)) + rest


@pytest.mark.parametrize("link", [SLL, SLL2])
def test_a_capture_on_all_interfaces_is_read(tmp_path: Path, link: int) -> None:
    frames = [frame(b"first"), frame(b"no", protocol=6), frame(b"tagged", tag=b"\x81\x00\x00\x05"), b""]
    content = pcap([cooked(f, link) for f in frames], link=link)
    assert udp_payloads(stored(tmp_path, content)) == [b"first", b"tagged"]


@pytest.mark.parametrize("link", [ETHERNET, SLL2])
def test_what_is_in_a_tunnel_is_passed_over(tmp_path: Path, link: int) -> None:
    outer = bytearray(frame(bytes(1460)))
    outer[36:38] = (4789).to_bytes(2, "big")
    frames = [f if link == ETHERNET else cooked(f, link) for f in (frame(b"inner"), bytes(outer))]
    assert udp_payloads(stored(tmp_path, pcap(frames, link=link))) == [b"inner"]


def test_a_missing_capture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="cannot be read: No such file"):
        udp_payloads(tmp_path / "none.pcap")


def camera(port: int, seconds: int = 1) -> Camera:
    return Camera("s/1", "s", 1, 400_000, 0, seconds, "127.0.0.2", "127.0.0.1", port)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_a_replay_sends_the_payloads_as_they_are_at_the_asked_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payloads = [b"a" * 500, b"b" * 300]
    path = stored(tmp_path, pcap([frame(p) for p in payloads]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(5)
        began = time.monotonic()
        argv = Replay(path).client(camera(sink.getsockname()[1]))
        assert main(argv[argv.index("testbedctl.traffic.replay") + 1 :]) == 0
        assert time.monotonic() - began == pytest.approx(1, abs=0.5)
        document = json.loads(capsys.readouterr().out)
        arrived = [sink.recvfrom(65535) for _ in range(document["packets"])]
    assert [payload for payload, _ in arrived[:3]] == [payloads[0], payloads[1], payloads[0]]
    assert {host for _, (host, _) in arrived} == {"127.0.0.2"}
    assert document["bytes"] * 8 == pytest.approx(400_000, rel=0.1)


def test_a_receiver_counts_its_own_camera_alone() -> None:
    port = free_port()
    argv = Replay(Path("unused")).server(camera(port))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as receiver:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        ):
            own.bind(("127.0.0.2", 0))
            other.bind(("127.0.0.3", 0))
            _wait_until_bound(port)
            for _ in range(5):
                other.sendto(b"not counted", ("127.0.0.1", port))
                own.sendto(b"x" * 100, ("127.0.0.1", port))
        output, _ = receiver.communicate(timeout=20)
    document = json.loads(output)
    assert (document["packets"], document["bytes"]) == (5, 500)


def _wait_until_bound(port: int) -> None:
    deadline = time.monotonic() + 20
    while f":{port:04X} " not in Path("/proc/net/udp").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_side_that_fails_says_why_in_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["receive", "--bind", "192.0.2.1", "--port", "5000", "--source", "127.0.0.2", "--seconds", "1"]
    assert main(argv) == 1
    output = capsys.readouterr().out
    assert "Cannot assign requested address" in (Replay(Path("unused")).fault(output) or "")


def side(counts: list[int], **changes: object) -> str:
    seconds = [{"end": n, "packets": c, "bytes": 100 * c} for n, c in enumerate(counts, 1)]
    whole = {"seconds": seconds, "packets": sum(counts), "bytes": 100 * sum(counts)}
    return json.dumps(whole | changes)


def test_what_was_sent_and_did_not_arrive_was_lost() -> None:
    columns = Replay(Path("unused")).columns(camera(1, 2), side([10, 12]), side([9, 12]))
    assert list(columns.lost_packets or []) == [1, 0]
    assert list(columns.delivered_bytes) == [900, 1200]
    assert columns.jitter_s is None


@pytest.mark.parametrize(
    ("sent", "received", "message"),
    [
        ("", side([1, 1]), "sender: it wrote nothing"),
        (side([1, 1]), "{", "receiver: it wrote no whole result"),
        (side([1, 1]), '{"error": "gone"}', "receiver: gone"),
        (side([1]), side([1, 1]), "sender: its series has 1 of 2 s"),
        (side([0, 0]), side([0, 0]), "sender: not one datagram"),
        (side([1, 1]), side([0, 0]), "receiver: not one datagram"),
        (side([1, 1], packets=3), side([1, 1]), "sender: its seconds do not add up to its packets"),
        (side([1, 1]), side([2, 1]), "more datagrams than were sent"),
    ],
)
def test_an_incomplete_count_is_an_error_that_names_the_camera(
    sent: str, received: str, message: str
) -> None:
    with pytest.raises(RunFailed, match=f"camera s/1: replay .*{message}|camera s/1: replay {message}"):
        Replay(Path("unused")).columns(camera(1, 2), sent, received)


def test_the_replay_starts_without_heavy_libraries() -> None:
    code = "import sys, testbedctl.traffic.replay; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pydantic", "numpy", "pyarrow", "iperf3", "pandas"} & set(loaded)
