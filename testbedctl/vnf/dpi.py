"""The inspection engine of a vDPI: NFStream (nDPI) on the interfaces of its own network namespace.

Run as ``python -m testbedctl.vnf.dpi --mode payload --stats FILE --filter 'inbound and ip'``. Each camera's
stream comes out of NFStream as one flow record a second, and its packets are counted under the class that was
found: by nDPI's signatures (``payload``) or by port number alone (``port``, as the vDPI of the
predictive-slicing paper, §8). A match that nDPI only guessed from the port counts as ``Unknown`` in
``payload`` mode.

NFStream's clock is the traffic: without packets it neither ends flows nor reports. So the engine sends itself
a small datagram over the loopback interface a few times a second, which its capture on all interfaces sees
too. It is left out of the counts, and it proves that capture and dissector still work.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import io
import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from testbedctl.errors import RunFailed, TestbedError
from testbedctl.vnf.ports import service_name
from testbedctl.vnf.tally import Tally

if TYPE_CHECKING:
    from nfstream import NFStreamer

CANARY = ("127.0.0.1", 9)  # discard (RFC 863): nobody answers
CANARY_PERIOD_S = 0.25
REPORT_PERIOD_S = 1
SILENCE_LIMIT_S = 10.0
"""Without a flow record for this long, though the canary is sent, the meter is stuck."""

FRESH_S = 2.0
"""The file is replaced while records are younger than this, so that a stuck meter shows like a dead one."""

RING_BYTES = 16 * 1024 * 1024
"""Capture ring: holds 200 ms of 600 Mb/s, ten periods of the CPU quota during which the engine may be
throttled."""

HEADERS_BYTES = 128
WHOLE_PACKET_BYTES = 1536  # nDPI gives up on packets that are cut off
DISSECTIONS = 20  # nDPI classifies within its first packets or not at all
INSPECTED = frozenset({3, 4, 5, 6, 8})
"""nDPI's confidences that rest on payload: DPI in part, in part from its cache, from its cache, full,
aggressive. The rest are no class (0), the port alone (1), the address alone (7) and custom rules (2, 9), of
which there are none. NFStream's own ``application_is_guessed`` stays 0 for matches by port."""
PR_SET_PDEATHSIG = 1


class MeterReports(io.TextIOBase):
    """Stands in for stdout, the only place where NFStream tells its meter's packet counts (JSON lines)."""

    def __init__(self, on_report: Callable[[int, int], None]) -> None:
        super().__init__()
        self._on_report = on_report

    def write(self, text: str) -> int:
        """Take a report; anything else that NFStream prints is for people and goes to stderr."""
        if text.startswith("{"):
            counts = json.loads(text)
            self._on_report(counts["packets_processed"], counts["packets_dropped_filtered_by_kernel"])
        elif text.strip():
            print(text.strip(), file=sys.stderr)
        return len(text)


class Engine:
    """One NFStream and its meter process; ends when told to, or as soon as the meter no longer works."""

    def __init__(self, tally: Tally, bpf_filter: str) -> None:
        self._tally = tally
        self._filter = bpf_filter
        self._last_record_s = time.monotonic()
        self._failure: str | None = None
        self._cores = os.sched_getaffinity(0)
        self._canary = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def run(self) -> None:
        """Inspect until SIGTERM or SIGINT. Raises ``RunFailed`` if capturing fails or the meter dies."""
        signal.signal(signal.SIGTERM, _interrupt)
        os.register_at_fork(after_in_child=_die_with_parent)
        self._canary_step()
        threading.Thread(target=self._send_canaries, daemon=True).start()
        try:
            streamer = _streamer(self._tally.mode, f"({self._filter}) or {_canary_filter()}")
            with contextlib.redirect_stdout(MeterReports(self._on_report)):
                for flow in streamer:
                    self._last_record_s = time.monotonic()
                    self._count(flow)
        except KeyboardInterrupt:
            pass
        except ValueError as error:  # how NFStream reports a capture that cannot be set up
            raise RunFailed(f"cannot capture with the filter '{self._filter}': {error}") from error
        if self._failure:
            raise RunFailed(
                self._failure, hint="is loopback up (ip link set lo up)? does the memory limit suffice?"
            )

    def _count(self, flow: Any) -> None:
        if flow.src_ip == CANARY[0]:
            return
        if self._tally.mode == "port":
            protocol = service_name(flow.src_port, flow.dst_port) if flow.protocol in (6, 17) else "no port"
        else:
            protocol = flow.application_name if flow.application_confidence in INSPECTED else "Unknown"
        self._tally.add(flow.src_ip, protocol, flow.bidirectional_packets, flow.bidirectional_bytes)

    def _on_report(self, captured_packets: int, dropped_packets: int) -> None:
        self._tally.report(captured_packets, dropped_packets)
        silence_s = time.monotonic() - self._last_record_s
        meters = multiprocessing.active_children()
        if not meters:
            self._fail("the engine's meter process has died")
        elif silence_s > SILENCE_LIMIT_S:
            self._fail(f"the engine's meter has not reported for {silence_s:.0f} s")
        elif captured_packets and silence_s < FRESH_S:  # not before the first canary has come through
            self._tally.write()
        # NFStream binds each meter to the same two cores, in every VNF of the host alike
        for process_id in (os.getpid(), *(m.pid for m in meters if m.pid)):
            os.sched_setaffinity(process_id, self._cores)

    def _fail(self, cause: str) -> None:
        self._failure = cause
        os.kill(os.getpid(), signal.SIGTERM)

    def _send_canaries(self) -> None:
        while True:
            time.sleep(CANARY_PERIOD_S)
            self._canary_step()

    def _canary_step(self) -> None:
        try:
            self._canary.sendto(b"testbedctl", CANARY)
        except OSError as error:
            raise RunFailed(
                f"the engine cannot reach {CANARY[0]} in its namespace: {error.strerror}",
                hint="bring up the loopback interface: ip link set lo up",
            ) from error


def _canary_filter() -> str:
    return f"(inbound and src host {CANARY[0]} and dst host {CANARY[0]} and udp dst port {CANARY[1]})"


def _streamer(mode: str, bpf_filter: str) -> NFStreamer:
    # NFStream imports pandas for a method that is not used here: 0.3 s and 85 MiB in every VNF
    sys.modules.setdefault("pandas", ModuleType("pandas"))
    from nfstream import NFStreamer

    return NFStreamer(
        source="any",
        bpf_filter=bpf_filter,
        promiscuous_mode=False,
        snapshot_length=HEADERS_BYTES if mode == "port" else WHOLE_PACKET_BYTES,
        socket_buffer_size=RING_BYTES,
        active_timeout=1,
        idle_timeout=1,
        n_dissections=0 if mode == "port" else DISSECTIONS,
        n_meters=1,
        statistical_analysis=False,
        accounting_mode=1,  # bytes of IP packets; the link header is the capture's own and not the wire's
        performance_report=REPORT_PERIOD_S,
    )


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _die_with_parent() -> None:
    """In a new child: end with the engine even if that is killed, and take SIGTERM as a plain end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the engine; exits 0 after SIGTERM, else with the error's exit code."""
    parser = argparse.ArgumentParser(prog="testbedctl.vnf.dpi", description=__doc__)
    parser.add_argument("--mode", choices=("port", "payload"), required=True)
    parser.add_argument("--stats", type=Path, required=True, help="file that is rewritten every second")
    parser.add_argument(
        "--interface", choices=("any",), default="any", help="where: every interface there is"
    )
    parser.add_argument("--filter", default="inbound and ip", help="what to inspect (pcap-filter(7))")
    given = parser.parse_args(arguments)
    status = 0
    try:
        Engine(Tally(given.mode, given.stats), given.filter).run()
    except TestbedError as error:
        print(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""), file=sys.stderr)
        status = error.exit_code
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
    # NFStream's report timer is a thread that outlives an interrupted stream; nothing is left to wait for
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
