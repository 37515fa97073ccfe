"""Units as types: a value's unit is in its name, and conversions happen here alone.

Inside the program rates are bits per second, sizes bytes, times seconds, shares ratios from 0 to 1.
"""

from __future__ import annotations

MBPS = 1_000_000
MIB = 1024 * 1024
GIB = 1024 * MIB
NS = 1_000_000_000


def mbps(rate_bps: float) -> float:
    """Bits per second as Mb/s (10^6 bits per second)."""
    return rate_bps / MBPS


def bps(rate_mbps: float) -> float:
    """Mb/s as bits per second."""
    return rate_mbps * MBPS


def percent(ratio: float) -> float:
    """A ratio as per cent."""
    return ratio * 100.0


def count(number: int, noun: str) -> str:
    """``1 trial``, ``3 trials``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def human_duration(seconds: float) -> str:
    """Seconds as a person writes them: ``75 min``, ``1 min 5 s``, ``3.2 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min" if not rest else f"{minutes} min {rest} s"


def human_bytes(size_bytes: float) -> str:
    """Bytes with a binary prefix: ``1.5 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"
