"""Replay of a capture: cameras that send real payloads, so that a DPI finds its signatures in them.

The payloads stay as they are and carry no numbers of ours: sender and receiver count, each second by its
own clock, and what was sent and did not arrive was lost. Each side is a process on a node::

    python -m testbedctl.traffic.replay receive --bind ADDRESS --port PORT --source ADDRESS --seconds N
    python -m testbedctl.traffic.replay send --to ADDRESS --port PORT --source ADDRESS --seconds N
                                             --rate BPS --pcap FILE

Both print one JSON document when done: ``{schema, side, seconds: [{end, packets, bytes}], packets, bytes}``
or ``{error}``. All datagrams of the capture go out as one flow of the camera, in their order, over and over.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbedctl.errors import RunFailed, TestbedError
from testbedctl.traffic.flows import Columns, per_second
from testbedctl.traffic.iperf import DATA_TOS, WINDOW_BYTES
from testbedctl.traffic.pcap import udp_payloads
from testbedctl.traffic.schedule import Camera

SCHEMA = "testbedctl.replay/1"

DRAIN_S = 1.0
"""How long a receiver goes on listening after the sender's time is over."""

LARGEST_DATAGRAM = 65_535


@dataclass(frozen=True)
class Replay:
    """Traffic of the kind ``pcap``: every camera loops the capture at its own rate."""

    pcap: Path
    listens = "udp"

    def server(self, camera: Camera) -> list[str]:
        """The command line of the camera's receiver."""
        return [*self._module("receive", camera), "--bind", camera.destination]

    def client(self, camera: Camera) -> list[str]:
        """The command line of the camera's sender."""
        load = ["--rate", str(camera.rate_bps), "--pcap", str(self.pcap.resolve())]
        return [*self._module("send", camera), "--to", camera.destination, *load]

    def fault(self, output: str) -> str | None:
        """The error that a replay process printed, or None."""
        try:
            return str(json.loads(output)["error"])
        except (ValueError, KeyError, TypeError):
            return None

    def columns(self, camera: Camera, client: str, server: str) -> Columns:
        """What both sides counted, per second; ``RunFailed`` names a camera without a whole count."""
        seconds = camera.stop_s - camera.start_s
        sent = _whole(camera, "sender", client)
        received = _whole(camera, "receiver", server)
        ends = {id(side): [float(s["end"]) for s in side["seconds"]] for side in (sent, received)}
        if len(sent["seconds"]) < seconds:
            raise _wrong(camera, "sender", f"its series has {len(sent['seconds'])} of {seconds} s")
        if received["packets"] > sent["packets"]:
            raise _wrong(camera, "receiver", "it counted more datagrams than were sent")

        def column(side: dict[str, Any], key: str) -> list[int]:
            return per_second(ends[id(side)], [int(s[key]) for s in side["seconds"]], seconds)

        sent_packets, delivered = column(sent, "packets"), column(received, "packets")
        lost = [s - d for s, d in zip(sent_packets, delivered, strict=True)]
        return Columns(column(sent, "bytes"), sent_packets, column(received, "bytes"), delivered, lost, None)

    def _module(self, side: str, camera: Camera) -> list[str]:
        life = ["--seconds", str(camera.stop_s - camera.start_s)]
        ends = ["--port", str(camera.port), "--source", camera.source]
        return [sys.executable, "-P", "-m", "testbedctl.traffic.replay", side, *ends, *life]


def _whole(camera: Camera, side: str, text: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise _wrong(
            camera, side, "it wrote nothing" if not text.strip() else "it wrote no whole result"
        ) from error
    if "error" in document:
        raise _wrong(camera, side, document["error"])
    for key in ("packets", "bytes"):
        if sum(s[key] for s in document["seconds"]) != document[key]:
            raise _wrong(camera, side, f"its seconds do not add up to its {key}")
    if not document["packets"]:
        raise _wrong(camera, side, "not one datagram")
    return document


def _wrong(camera: Camera, side: str, what: str) -> RunFailed:
    return RunFailed(
        f"camera {camera.camera}: replay {side}: {what}", hint="look at the kept JSON and .err file"
    )


class _Tally:
    """Packets and bytes per second since the first one."""

    def __init__(self, seconds: int):
        self._seconds = [[0, 0] for _ in range(seconds)]

    def add(self, at_s: float, size: int) -> None:
        second = self._seconds[min(int(at_s), len(self._seconds) - 1)]
        second[0] += 1
        second[1] += size

    def document(self, side: str) -> dict[str, object]:
        rows = [{"end": n, "packets": p, "bytes": b} for n, (p, b) in enumerate(self._seconds, 1)]
        packets, size = (sum(column) for column in zip(*self._seconds, strict=True))
        return {"schema": SCHEMA, "side": side, "seconds": rows, "packets": packets, "bytes": size}


def send(
    source: str, to: tuple[str, int], payloads: list[bytes], rate_bps: float, seconds: int
) -> dict[str, object]:
    """Send the payloads over and over at ``rate_bps`` (bit/s of UDP payload), paced datagram by datagram.

    Returns the sender's document; raises ``OSError`` when the socket refuses.
    """
    tally = _Tally(seconds)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, DATA_TOS)
        sock.bind((source, 0))
        sock.connect(to)
        began = time.monotonic()
        sent_bits = number = 0
        while (due_s := sent_bits / rate_bps) < seconds and (now_s := time.monotonic() - began) < seconds:
            if due_s > now_s:
                time.sleep(due_s - now_s)
            payload = payloads[number % len(payloads)]
            sock.send(payload)
            tally.add(time.monotonic() - began, len(payload))
            sent_bits += 8 * len(payload)
            number += 1
        time.sleep(max(0.0, began + seconds - time.monotonic()))
    return tally.document("send")


def receive(bind: tuple[str, int], source: str, seconds: int) -> dict[str, object]:
    """Count what arrives from ``source``, from the first datagram on for ``seconds`` and a drain.

    Returns the receiver's document; raises ``OSError`` when the address cannot be bound.
    """
    tally = _Tally(seconds)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
        sock.bind(bind)
        began: float | None = None
        while True:
            left_s = None if began is None else began + seconds + DRAIN_S - time.monotonic()
            if left_s is not None and left_s <= 0:
                return tally.document("receive")
            sock.settimeout(left_s)
            try:
                payload, (host, _) = sock.recvfrom(LARGEST_DATAGRAM)
            except TimeoutError:
                continue
            if host == source:
                began = time.monotonic() if began is None else began
                tally.add(time.monotonic() - began, len(payload))


def main(argv: list[str] | None = None) -> int:
    """Run one side and print its document; 1 with ``{error}`` when it failed."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.side == "send":
            to = (arguments.to, arguments.port)
            payloads = udp_payloads(arguments.pcap)
            document = send(arguments.source, to, payloads, arguments.rate, arguments.seconds)
        else:
            document = receive((arguments.bind, arguments.port), arguments.source, arguments.seconds)
    except (OSError, TestbedError) as error:
        print(json.dumps({"error": str(error)}))
        return 1
    print(json.dumps(document))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbedctl.traffic.replay")
    sides = parser.add_subparsers(dest="side", required=True)
    sender, receiver = sides.add_parser("send"), sides.add_parser("receive")
    for side in (sender, receiver):
        side.add_argument("--port", type=int, required=True)
        side.add_argument("--source", required=True)
        side.add_argument("--seconds", type=int, required=True)
    sender.add_argument("--to", required=True)
    sender.add_argument("--rate", type=float, required=True)
    sender.add_argument("--pcap", type=Path, required=True)
    receiver.add_argument("--bind", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
