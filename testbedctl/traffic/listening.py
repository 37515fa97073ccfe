"""Where a node listens, read from its kernel."""

from __future__ import annotations

import socket
import subprocess
import sys

from testbedctl.errors import RunFailed
from testbedctl.ports import Nodes

READY_STATE = {"tcp": "0A", "udp": "07"}
"""LISTEN of a TCP socket; a UDP socket that is bound and not connected is shown as CLOSE."""


def listening(nodes: Nodes, node: str, kind: str) -> set[tuple[str, int]]:
    """The IPv4 addresses and ports of the kind (``tcp`` or ``udp``) that take a first packet on ``node``.

    Raises ``RunFailed`` if the node cannot be asked.
    """
    with nodes.exec(node, ["cat", f"/proc/net/{kind}"]) as child:
        try:
            output, complaint = child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            output, complaint = child.communicate()
    if child.returncode:
        said = (complaint or b"").decode(errors="replace").strip() or f"exit code {child.returncode}"
        raise RunFailed(f"node {node}: cannot read its sockets: {said}", hint="is the testbed still up?")
    entries = [line.split() for line in output.decode().splitlines()[1:]]
    return {_address(entry[1]) for entry in entries if entry[3] == READY_STATE[kind]}


def _address(entry: str) -> tuple[str, int]:
    """An entry such as ``0100007F:1452``: the address as one number in the host's byte order, the port."""
    address, _, port = entry.partition(":")
    return socket.inet_ntoa(int(address, 16).to_bytes(4, sys.byteorder)), int(port, 16)
