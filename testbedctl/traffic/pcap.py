"""UDP payloads of a capture in the classic pcap format (draft-ietf-opsawg-pcap): IPv4 in Ethernet, or in the
headers that Linux gives a capture on all interfaces (tcpdump.org's LINUX_SLL and LINUX_SLL2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from testbedctl.errors import InvalidFile

ORDERS = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
}
"""Magic number to byte order; the last two have nanoseconds, which makes no difference here."""

TYPE_AT = {1: 12, 113: 14, 276: 0}
"""Link type to the place of the protocol field in a frame: Ethernet, LINUX_SLL, LINUX_SLL2."""

HEADER_BYTES = {1: 14, 113: 16, 276: 20}
VXLAN_PORT = b"\x12\xb5"
"""4789 (RFC 7348): a capture on all interfaces of a vDPI has each packet once more in the lab's tunnel."""

MAX_RECORD_BYTES = 262_144
VLAN_TYPES = (b"\x81\x00", b"\x88\xa8")
MAX_PAYLOAD_BYTES = 1448
"""What fits into the tunnel without fragments, as for a profile's ``datagram_bytes``."""

FRAGMENT_BITS = 0x3FFF  # "more fragments" and the offset
RE_CAPTURE = "capture again with: tcpdump -i IF -s 0 -w FILE udp"


def udp_payloads(path: Path) -> list[bytes]:
    """Every whole, non-empty UDP payload in the file, in its order; other packets, and what is in a VXLAN
    tunnel, are passed over.

    Raises ``InvalidFile`` saying what is wrong: unreadable, not a classic pcap, of another link type, cut
    short, without a single UDP payload, or with one too large to be sent whole.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidFile(f"{path}: cannot be read: {error.strerror}", hint="name a capture file") from error
    order = ORDERS.get(content[:4])
    if order is None or len(content) < 24:
        raise InvalidFile(
            f"{path}: not a classic pcap file", hint="convert pcapng with: editcap -F pcap IN OUT"
        )
    link_type = struct.unpack_from(order + "I", content, 20)[0] & 0x0FFFFFFF
    if link_type not in TYPE_AT:
        allowed = "Ethernet (1), LINUX_SLL (113) or LINUX_SLL2 (276)"
        raise InvalidFile(f"{path}: link type {link_type}, not {allowed}", hint=RE_CAPTURE)
    payloads = [p for frame in _frames(path, content, order) if (p := _payload(frame, link_type))]
    if not payloads:
        raise InvalidFile(f"{path}: holds no whole UDP payload over IPv4", hint=RE_CAPTURE)
    if (largest := max(map(len, payloads))) > MAX_PAYLOAD_BYTES:
        raise InvalidFile(
            f"{path}: holds a UDP payload of {largest} bytes; {MAX_PAYLOAD_BYTES} fit into the tunnel",
            hint="payloads are sent whole: leave large ones out, tcpdump -r IN -w OUT 'less 1490'",
        )
    return payloads


def _frames(path: Path, content: bytes, order: str) -> Iterator[bytes]:
    at = 24
    number = 1
    while at < len(content):
        head = content[at : at + 16]
        size = struct.unpack(order + "I", head[8:12])[0] if len(head) == 16 else 0
        at += 16
        if len(head) < 16 or size > MAX_RECORD_BYTES or at + size > len(content):
            raise InvalidFile(f"{path}: record {number} is cut short or damaged", hint=RE_CAPTURE)
        yield content[at : at + size]
        at += size
        number += 1


def _payload(frame: bytes, link_type: int) -> bytes | None:
    """The UDP payload of a frame, or None if it has none or not the whole of it."""
    at, head = TYPE_AT[link_type], HEADER_BYTES[link_type]
    kind, ip = frame[at : at + 2], frame[head:]
    while kind in VLAN_TYPES:
        kind, ip = ip[2:4], ip[4:]
    if kind != b"\x08\x00" or len(ip) < 20 or ip[0] >> 4 != 4 or ip[9] != 17:
        return None
    if int.from_bytes(ip[6:8], "big") & FRAGMENT_BITS:
        return None
    udp = ip[(ip[0] & 15) * 4 :]
    size = int.from_bytes(udp[4:6], "big") if len(udp) >= 8 else 0
    return udp[8:size] if 8 < size <= len(udp) and udp[2:4] != VXLAN_PORT else None
