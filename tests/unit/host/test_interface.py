"""The requests by which interfaces are set up, byte by byte, and how the kernel's refusal is told."""

from __future__ import annotations

import fcntl
import struct

import pytest

from testbedctl.errors import RunFailed
from testbedctl.host.interface import Interfaces


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    seen: list[tuple[int, bytes]] = []
    monkeypatch.setattr(fcntl, "ioctl", lambda _handle, command, request: seen.append((command, request)))
    return seen


def test_an_address_is_set_with_its_mask(calls: list[tuple[int, bytes]]) -> None:
    with Interfaces() as control:
        control.set_address("eth0", "10.200.1.2/16")
    (set_address, address), (set_mask, mask) = calls
    assert (set_address, set_mask) == (0x8916, 0x891C)  # SIOCSIFADDR, SIOCSIFNETMASK of netdevice(7)
    assert address[:16] == mask[:16] == b"eth0".ljust(16, b"\0")
    assert address[16:18] == struct.pack("H", 2) and address[20:24] == bytes([10, 200, 1, 2])
    assert mask[20:24] == bytes([255, 255, 0, 0])


def test_up_sets_the_flags_up_and_running(calls: list[tuple[int, bytes]]) -> None:
    with Interfaces() as control:
        control.up("lo")
    assert calls[0][0] == 0x8914 and struct.unpack("16sH14x", calls[0][1]) == (b"lo".ljust(16, b"\0"), 0x41)


def test_offloads_are_two_requests(calls: list[tuple[int, bytes]]) -> None:
    with Interfaces() as control:
        control.disable_offloads("van1")
    assert [command for command, _ in calls] == [0x8946, 0x8946]  # SIOCETHTOOL


def test_a_refusal_of_the_kernel_names_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    with Interfaces() as control, pytest.raises(RunFailed, match="interface van1: No such device"):
        control.up("van1")
