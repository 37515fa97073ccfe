"""What an inspection engine wrote about itself (``docs/reference/metrics.md``, "The engine's file")."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

SCHEMA = "testbedctl.dpi/1"
STALE_AFTER_S = 2.5
"""The engine writes every second; a file older than this has no writer any more."""


class TrafficClass(NamedTuple):
    """Packets and bytes of one camera that were found to be of one protocol."""

    camera: str
    protocol: str
    packets: int
    bytes: int


class Inspection(NamedTuple):
    """All classes that an engine has seen, and the packets that its capture lost."""

    classes: list[TrafficClass]
    dropped_packets: int


def read(path: str, *, now_unix_s: float | None = None) -> Inspection:
    """The engine's counts; raises ``OSError`` without a file, ``ValueError`` if it is not ours or stale."""
    document = json.loads(Path(path).read_text())
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not of the schema {SCHEMA}")
    age_s = (time.time() if now_unix_s is None else now_unix_s) - document["heartbeat_unix_s"]
    if age_s > STALE_AFTER_S:
        raise ValueError(f"the inspection engine's last heartbeat is {age_s:.1f} s old")
    return Inspection([TrafficClass(**each) for each in document["classes"]], document["dropped_packets"])
