"""Numbered datagrams from cameras, and what arrived behind which vDPI port."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.system.controller.lab import SINK, VDPI_PORTS, Lab

SENDER = """
import json, os, select, socket, struct, sys, time
size, sink, rates = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
streams = []
for source, pps in rates.items():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source, 0)); s.connect((sink, 5000))
    streams.append([s, source, 1 / pps, 0])
start = time.monotonic()
print("sending", flush=True)
while not select.select([0], [], [], 0.002)[0]:
    now = time.monotonic() - start
    for stream in streams:
        while stream[3] * stream[2] <= now:
            stream[0].send(struct.pack("!I", stream[3]).ljust(size, b"x"))
            stream[3] += 1
print(json.dumps({s[1]: s[3] for s in streams}))
"""
RECEIVER = """
import json, select, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.bind((sys.argv[1], 5000))
print("receiving", flush=True)
seen, ended = {}, False
while True:
    ready = select.select([s] if ended else [s, 0], [], [], 0.4 if ended else None)[0]
    if s in ready:
        data, (source, _) = s.recvfrom(2048)
        seen.setdefault(source, []).append(struct.unpack("!I", data[:4])[0])
    elif ended:
        break
    if 0 in ready:
        ended = True
print(json.dumps(seen))
"""


@dataclass
class Streams:
    """Numbered datagrams from cameras, and what arrived on which vDPI port."""

    lab: Lab
    rates_pps: Mapping[str, float]
    size_bytes: int = 200

    def __enter__(self) -> Streams:
        self.receivers = {port: self._python(port, RECEIVER, SINK) for port in VDPI_PORTS}
        rates = json.dumps(self.rates_pps)
        self.sender = self._python("cam", SENDER, str(self.size_bytes), SINK, rates)
        return self

    def __exit__(self, *_: object) -> None:
        self.sent = self._finish(self.sender)
        self.received = {port: self._finish(process) for port, process in self.receivers.items()}

    def _python(self, node: str, script: str, *argv: str) -> subprocess.Popen[str]:
        command = self.lab.inside(node, sys.executable, "-c", script, *argv)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().strip() in ("sending", "receiving")
        return process

    @staticmethod
    def _finish(process: subprocess.Popen[str]) -> dict[str, Any]:
        out, _ = process.communicate("", timeout=20)
        found: dict[str, Any] = json.loads(out)
        return found

    def assert_none_lost(self) -> None:
        for source, count in self.sent.items():
            numbers = [n for seen in self.received.values() for n in seen.get(source, [])]
            assert sorted(numbers) == list(range(count)), f"{source}: {len(numbers)} of {count} arrived"
