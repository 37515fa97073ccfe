"""Carries TCP connections from loopback into a node's namespace, for a browser on this machine."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable

from testbedctl.backends.local.plan import Node
from testbedctl.errors import UsageError
from testbedctl.host import netns


def serve(node: Node, port: int, listen: int, ready: Callable[[int], None]) -> None:
    """Accept on ``127.0.0.1:listen`` until interrupted; ``ready`` is told the port that was bound."""
    target = node.address or "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", listen))
        except OSError as error:
            raise UsageError(f"cannot listen on 127.0.0.1:{listen}: {error.strerror}") from error
        server.listen()
        ready(server.getsockname()[1])
        while True:
            client, _ = server.accept()
            threading.Thread(target=_carry, args=(client, node.netns, target, port), daemon=True).start()


def _carry(client: socket.socket, namespace: str, address: str, port: int) -> None:
    with client:
        with netns.inside(namespace):
            inner = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with inner:
            try:
                inner.connect((address, port))
                _exchange(client, inner)
            except OSError:
                return  # either side hung up: the other is closed with it


def _exchange(a: socket.socket, b: socket.socket) -> None:
    peers = {a: b, b: a}
    while True:
        for ready in select.select(list(peers), [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            peers[ready].sendall(data)
