"""Readiness checks: each asks the thing itself whether it works."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable

from testbedctl.errors import RunFailed
from testbedctl.host import netns


class NotReady(RunFailed):
    """Something did not become ready within the time it had."""


def wait_until(
    check: Callable[[], bool], what: str, deadline: float, alive: Callable[[], None] | None = None
) -> None:
    """Poll ``check`` until it holds; raises ``NotReady`` naming ``what`` at the monotonic ``deadline``.

    ``alive`` is called in between and raises if waiting has become pointless.
    """
    while not check():
        if alive:
            alive()
        if time.monotonic() > deadline:
            raise NotReady(f"{what} did not become ready in time")
        time.sleep(0.02)  # bounded by the deadline


def tcp_answers(namespace: str, address: str, port: int) -> bool:
    """Whether something accepts connections at an address, seen from a namespace."""
    with netns.inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(0.5)
        return client.connect_ex((address, port)) == 0


def ping(namespace: str, source: str, destination: str, timeout_s: float = 0.5) -> float | None:
    """Round-trip time in seconds of one ICMP echo (RFC 792) from a namespace, or None without an answer."""
    with netns.inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.bind((source, 0))
        identifier = os.getpid() & 0xFFFF
        sequence = time.monotonic_ns() & 0xFFFF
        raw.sendto(_echo_request(identifier, sequence), (destination, 0))
        sent = time.monotonic()
        while (left := sent + timeout_s - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
            packet = raw.recv(1500)
            header = packet[(packet[0] & 0x0F) * 4 :]
            if header[0] == 0 and struct.unpack("!HH", header[4:8]) == (identifier, sequence):
                return time.monotonic() - sent
    return None


def _echo_request(identifier: int, sequence: int) -> bytes:
    words = (0x0800, 0, identifier, sequence)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return struct.pack("!HHHH", words[0], checksum, identifier, sequence)
