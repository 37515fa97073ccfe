"""Sets up interfaces of the calling thread's namespace by ioctl: far cheaper than a process for each.

Offloads are switched off because a user-space switch takes raw frames from a veth: a frame whose checksum
the kernel left for a network card to fill in arrives broken, so that TCP hangs although pings pass.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from ipaddress import IPv4Interface
from pathlib import Path

from testbedctl.errors import RunFailed

_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_SIOCETHTOOL = 0x8946
_UP_RUNNING = 0x41
_SET_TX_CHECKSUM = 0x17  # ETHTOOL_STXCSUM
_SET_GRO = 0x2C  # ETHTOOL_SGRO
_GET_OFFLOADS = {"tx_checksum": 0x16, "gro": 0x2B}  # ETHTOOL_GTXCSUM, ETHTOOL_GGRO


class Interfaces:
    """The interfaces of the namespace that the calling thread is in."""

    def __init__(self) -> None:
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> Interfaces:
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()

    def up(self, name: str) -> None:
        """Bring an interface up."""
        self._call(_SIOCSIFFLAGS, name, struct.pack("16sH14x", name.encode(), _UP_RUNNING))

    def set_address(self, name: str, cidr: str) -> None:
        """Give an interface its IPv4 address, such as ``10.1.0.1/16``."""
        address = IPv4Interface(cidr)
        for command, value in ((_SIOCSIFADDR, address.ip), (_SIOCSIFNETMASK, address.netmask)):
            sockaddr = struct.pack("HH4s8x", socket.AF_INET, 0, value.packed)
            self._call(command, name, struct.pack("16s16s", name.encode(), sockaddr))

    def disable_offloads(self, name: str) -> None:
        """Transmit checksums in software, and no receive aggregation."""
        for command in (_SET_TX_CHECKSUM, _SET_GRO):
            value = array.array("B", struct.pack("II", command, 0))
            self._call(_SIOCETHTOOL, name, struct.pack("16sP", name.encode(), value.buffer_info()[0]))

    def offloads(self, name: str) -> dict[str, bool]:
        """Which of the offloads that ``disable_offloads`` is about an interface has on."""
        found = {}
        for offload, command in _GET_OFFLOADS.items():
            value = array.array("I", (command, 0))
            self._call(_SIOCETHTOOL, name, struct.pack("16sP", name.encode(), value.buffer_info()[0]))
            found[offload] = bool(value[1])
        return found

    def _call(self, command: int, name: str, request: bytes) -> None:
        try:
            fcntl.ioctl(self._control.fileno(), command, request)
        except OSError as error:
            raise RunFailed(f"cannot set up the interface {name}: {error.strerror}") from error


def quieten() -> None:
    """No IPv6, no reverse-path filter, no firewall on bridges in this namespace: only the lab's own packets
    cross its links, and nothing else costs time on the way."""
    root = Path("/proc/sys/net")
    for scope in ("all", "default"):
        ipv6 = root / "ipv6/conf" / scope / "disable_ipv6"
        if ipv6.exists():  # a kernel without IPv6 has nothing to switch off
            ipv6.write_text("1")
        (root / "ipv4/conf" / scope / "rp_filter").write_text("0")
    bridge = root / "bridge"
    for switch in bridge.glob("bridge-nf-call-*") if bridge.is_dir() else ():
        switch.write_text("0")
