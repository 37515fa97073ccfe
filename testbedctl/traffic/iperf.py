"""iperf3: the command lines of cameras and sinks, and the reading of what they wrote.

What iperf3 3.12 does, seen in experiments, and what follows from it:

- With ``-J`` it exits with 0 even when it failed. Only the ``error`` in its JSON tells, and a JSON with
  an error repeats its last interval. So such a series is refused, never shortened.
- When not one datagram arrives, the client's summary says 0 lost. So losses are never taken from a
  summary: they are what the server found missing by number, and the tail that it never saw.
- The server's ``end.sum.bytes`` is 0 and, with ``--omit``, its ``sum_sent.packets`` is 2⁶⁴ − n. So the
  intervals are added up here and compared with the totals that are sound.
- ``--omit`` throws a second away at each side by that side's own clock and leaves the kernel's counters
  with packets that no report knows. It is there for false loss in the first interval (iperf issue 799),
  which is an overflow of the default receive buffer; with ``-w`` the first interval loses nothing.
- UDP streams begin with one unprotected 4-byte datagram each way; when the path is full and one is lost,
  the client hangs for 30 s. They, and the TCP control connection, carry type of service 0, the data
  carries ``DATA_TOS``: so a policy route can keep everything but the data off the measured path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from testbedctl.errors import RunFailed
from testbedctl.traffic.flows import Columns, per_second
from testbedctl.traffic.schedule import Camera

DATA_TOS = 0x10
"""Type of service of measured data, and of nothing else. Within the mask 0x1c that ``ip rule`` takes."""

PACING_TIMER_US = 5000
"""How often a camera looks whether it may send; a larger value means bursts (iperf issue 386)."""

WINDOW_BYTES = 4 * 1024 * 1024
"""Socket buffer of both sides of a UDP stream; ``net.core.{r,w}mem_max`` must allow it."""

CONNECT_TIMEOUT_MS = 3000


@dataclass(frozen=True)
class Iperf:
    """Traffic of the kinds ``udp`` and ``tcp``; ``datagram_bytes`` is the payload of one write."""

    kind: Literal["udp", "tcp"]
    datagram_bytes: int
    listens = "tcp"  # the control connection's socket shows that the server is ready

    def server(self, camera: Camera) -> list[str]:
        """The command line of the camera's sink, which ends by itself after its one client."""
        bound = ["-B", camera.destination, "-p", str(camera.port)]
        return ["iperf3", "-s", "--one-off", "-J", "-i", "1", *bound]

    def client(self, camera: Camera) -> list[str]:
        """The command line of the camera: sends from its start for the seconds of its life."""
        ends = ["-c", camera.destination, "-p", str(camera.port), "-B", camera.source]
        load = ["-b", str(camera.rate_bps), "-l", str(self.datagram_bytes)]
        time = ["-t", str(camera.stop_s - camera.start_s), "-i", "1"]
        steady = ["--pacing-timer", str(PACING_TIMER_US), "-S", str(DATA_TOS)]
        patience = ["--connect-timeout", str(CONNECT_TIMEOUT_MS)]
        kind = ["-u", "-w", str(WINDOW_BYTES)] if self.kind == "udp" else []
        return ["iperf3", *ends, *kind, *load, *time, *steady, *patience, "-J"]

    def fault(self, output: str) -> str | None:
        """The error that an iperf3 process put into its JSON, or None."""
        try:
            return str(json.loads(output)["error"])
        except (ValueError, KeyError, TypeError):
            return None

    def columns(self, camera: Camera, client: str, server: str) -> Columns:
        """What both sides' JSON says, per second of the camera's life.

        Raises ``RunFailed``, naming the camera, when a series is empty, short or contradicts itself.
        """
        seconds = camera.stop_s - camera.start_s
        sent = _Side(camera, "client", client, seconds)
        received = _Side(camera, "server", server, seconds)
        received.expect("bytes", received.end["sum_received"]["bytes"])
        if not sum(received.column("bytes")):
            raise received.wrong("not one datagram arrived", "is there a path from the camera to the sink?")
        if self.kind == "tcp":
            return Columns(sent.spread("bytes"), None, received.spread("bytes"), None, None, None)
        return _udp_columns(sent, received, seconds)


def _udp_columns(sent: _Side, received: _Side, seconds: int) -> Columns:
    size = sent.result.blksize
    sent.expect("bytes", size * sent.result.packets)
    for side in (sent, received):
        side.expect("packets", side.result.packets)
    received.expect("lost_packets", received.result.lost_packets)
    delivered = [count // size for count in received.column("bytes")]
    seen = sum(received.column("packets"))
    if sum(delivered) + sum(received.column("lost_packets")) != seen:
        raise received.wrong("datagrams were duplicated on the way", "look for a loop between the switches")
    lost = per_second(received.ends_s, received.column("lost_packets"), seconds)
    lost[-1] += sum(sent.column("packets")) - seen  # sent, but no later number arrived to miss them by
    sent_packets = sent.spread("packets")
    delivered_packets = per_second(received.ends_s, delivered, seconds)
    jitter_s = [float(interval["jitter_ms"]) / 1000 for interval in received.intervals]
    return Columns(
        [size * packets for packets in sent_packets],
        sent_packets,
        [size * packets for packets in delivered_packets],
        delivered_packets,
        lost,
        [jitter_s[min(second, len(jitter_s) - 1)] for second in range(seconds)],
    )


class _Side:
    """One side's JSON, checked for being whole."""

    def __init__(self, camera: Camera, side: str, text: str, seconds: int):
        self.camera, self.side, self.seconds = camera, side, seconds
        self.result = self._parsed(text)
        self.end: Mapping[str, Any] = self.result.json["end"]
        self.intervals = [interval["streams"][0] for interval in self.result.json["intervals"]]
        self.ends_s = [float(interval["end"]) for interval in self.intervals]
        if not self.intervals or self.ends_s[-1] < seconds - 0.5:
            reached = self.ends_s[-1] if self.intervals else 0
            raise self.wrong(f"its series ends after {reached:.1f} of {seconds} s", "look at the kept JSON")

    def _parsed(self, text: str) -> Any:
        from iperf3 import TestResult

        try:
            result = TestResult(text)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            said = "nothing" if not text.strip() else f"no whole result ({error!r})"
            raise self.wrong(f"it wrote {said}", "look at the kept JSON and its .err file") from error
        if result.error is not None:
            raise self.wrong(result.error, "the processes of a camera must live as long as it does")
        return result

    def column(self, key: str) -> list[int]:
        return [_signed(int(interval[key])) for interval in self.intervals]

    def spread(self, key: str) -> list[int]:
        return per_second(self.ends_s, self.column(key), self.seconds)

    def expect(self, key: str, total: int) -> None:
        found = sum(self.column(key))
        if found != total:
            raise self.wrong(
                f"its intervals add up to {found} {key}, its total says {total}", "repeat the trial"
            )

    def wrong(self, what: str, hint: str) -> RunFailed:
        return RunFailed(f"camera {self.camera.camera}: iperf3 {self.side}: {what}", hint=hint)


def _signed(count: int) -> int:
    """A count below zero, which iperf3 prints as 2⁶⁴ − n: datagrams that it had taken for lost and that came
    late, as some do when a camera is moved to another vDPI."""
    return count - 2**64 if count >= 2**63 else count
