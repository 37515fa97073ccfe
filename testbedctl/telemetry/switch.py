"""Flow counters of an Open vSwitch, asked for over its control socket: no process is started.

``ovs-vswitchd`` speaks JSON-RPC 1.0 there (ovs-appctl(8), "unixctl"). Its interface counters are the
kernel's: they count a packet that the switch never took from its ring. The flow counters are what the switch
processed; they lag behind by up to ``other_config:max-revalidator`` (500 ms unless the switch is told
otherwise).
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from testbedctl.telemetry.config import SwitchControl

_RULE = re.compile(r"n_packets=(\d+), n_bytes=(\d+), (.*?),?actions=(.*)$")
_ADDRESSES = re.compile(r"\bnw_src=([\d.]+),(?:.*,)?nw_dst=([\d.]+)(?:,|$)")
_OUTPUT = re.compile(r"(?:^|,)(?:output:|group:|enqueue:|(?:NORMAL|FLOOD|ALL|IN_PORT|LOCAL)\b)")
_INTERNAL = "table_id=254,"


@dataclass(frozen=True)
class Rule:
    """One flow rule and what it matched so far. Bytes are those of Ethernet frames.

    ``source`` and ``destination`` are set where the rule matches one exact pair of IPv4 addresses.
    """

    match: str
    packets: int
    bytes: int
    forwards: bool
    source: str | None
    destination: str | None


class ControlQuery:
    """A question that is on its way to a switch. Ask many switches, then collect: they answer in parallel."""

    def __init__(
        self, control: str, method: str, parameters: Sequence[str] = (), *, timeout_s: float = 0.1
    ) -> None:
        """Send the question; raises ``OSError`` if nobody listens."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(control)
            self._socket.sendall(json.dumps({"id": 0, "method": method, "params": list(parameters)}).encode())
        except OSError:
            self._socket.close()
            raise

    def answer(self, deadline_s: float) -> str:
        """The switch's answer; raises ``OSError`` if it is not here by ``deadline_s`` (monotonic), and
        ``ValueError`` if the switch refuses."""
        with self._socket:
            reply = self._receive(deadline_s)
        if reply["error"] is not None:
            raise ValueError(f"the switch refuses: {reply['error']}")
        return reply["result"] or ""

    def _receive(self, deadline_s: float) -> dict[str, str | None]:
        received = b""
        while True:
            self._socket.settimeout(max(0.001, deadline_s - time.monotonic()))
            part = self._socket.recv(262_144)
            if not part:
                raise ConnectionError("the switch closed its control socket")
            received += part
            try:  # a message has no length or end mark: it is whole when it parses
                reply: dict[str, str | None] = json.loads(received)
                return reply
            except ValueError:
                continue


def ask_rules(switch: SwitchControl, *, timeout_s: float = 0.1) -> ControlQuery:
    """Ask for the rules of a bridge; ``parse_rules`` reads the answer."""
    return ControlQuery(switch.control, "bridge/dump-flows", [switch.bridge], timeout_s=timeout_s)


def parse_received(stats: str) -> int:
    """Packets that the user-space datapath took from all its ports, from ``dpif-netdev/pmd-stats-show``.

    Unlike a rule's counter it goes on when rules are removed. Raises ``ValueError`` where it is missing.
    """
    counts = [int(line.split(":")[1]) for line in stats.splitlines() if "packets received:" in line]
    if not counts:
        raise ValueError("the switch has no user-space datapath")
    return sum(counts)


def parse_rules(dump: str) -> list[Rule]:
    """Rules from the text of ``bridge/dump-flows``, without those that the switch keeps for itself."""
    lines = (line for line in dump.splitlines() if not line.startswith(_INTERNAL))
    return [_rule(*found.groups()) for line in lines if (found := _RULE.search(line))]


def _rule(packets: str, size: str, match: str, actions: str) -> Rule:
    addresses = _ADDRESSES.search(match)
    source, destination = addresses.groups() if addresses else (None, None)
    return Rule(match, int(packets), int(size), bool(_OUTPUT.search(actions)), source, destination)
