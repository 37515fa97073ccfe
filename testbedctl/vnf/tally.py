"""What an inspection engine has seen, as counts per class of traffic and camera, and the file they go to."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

SCHEMA = "testbedctl.dpi/1"
MAX_CLASSES = 256
"""Pairs of camera and protocol that are kept apart; what comes after counts as ``other``."""


@dataclass
class _Count:
    packets: int = 0
    bytes: int = 0


@dataclass
class Tally:
    """Counts that only grow. One thread adds, another one writes."""

    mode: str
    path: Path
    started_unix_s: float = field(default_factory=time.time)
    captured_packets: int = 0
    dropped_packets: int = 0
    _classes: dict[tuple[str, str], _Count] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, camera: str, protocol: str, packets: int, size_bytes: int) -> None:
        """Count packets of a camera (its source address) that were found to be of a protocol."""
        with self._lock:
            key = (camera, protocol)
            if key not in self._classes and len(self._classes) >= MAX_CLASSES:
                key = ("other", "other")
            count = self._classes.setdefault(key, _Count())
            count.packets += packets
            count.bytes += size_bytes

    def report(self, captured_packets: int, dropped_packets: int) -> None:
        """Take over what the capture says: packets taken from its ring, and lost before it (totals)."""
        with self._lock:
            self.captured_packets = captured_packets
            self.dropped_packets = dropped_packets

    def document(self) -> dict[str, object]:
        """All counts as the JSON document that ``docs/reference/metrics.md`` describes."""
        with self._lock:
            classes = [
                {"camera": camera, "protocol": protocol, "packets": count.packets, "bytes": count.bytes}
                for (camera, protocol), count in sorted(self._classes.items())
            ]
            return {
                "schema": SCHEMA,
                "mode": self.mode,
                "pid": os.getpid(),
                "started_unix_s": self.started_unix_s,
                "heartbeat_unix_s": time.time(),
                "inspected_packets": sum(count.packets for count in self._classes.values()),
                "inspected_bytes": sum(count.bytes for count in self._classes.values()),
                "captured_packets": self.captured_packets,
                "dropped_packets": self.dropped_packets,
                "classes": classes,
            }

    def write(self) -> None:
        """Replace the file in one step, so that a reader sees the old document or the new one, whole."""
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        draft.write_text(json.dumps(self.document()))
        draft.replace(self.path)
