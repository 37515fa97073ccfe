"""What each step lost of what was sent in it: by the packets' numbers, not by two programs' clocks.

A camera and its sink count seconds by clocks of their own, so what arrived in a step's seconds may hold
packets of the step before. The receiver knows the lost ones by their number, and the totals are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from testbedctl.records.reader import TrialReader

Part = tuple[int, bool]
"""A step, and whether its last move had been applied: the whole seconds that are counted together."""


@dataclass
class Count:
    """What one service sent in some seconds; ``sent`` and ``lost`` are packets, for TCP bytes."""

    seconds: set[int] = field(default_factory=set)
    sent_bytes: int = 0
    sent: int = 0
    lost: int = 0

    @property
    def loss_ratio(self) -> float:
        """Lost ÷ sent, from 0 to 1."""
        return self.lost / self.sent if self.sent else 0.0

    @property
    def delivered_bytes(self) -> float:
        """Bytes sent in these seconds that arrived, whenever that was."""
        return self.sent_bytes * (1 - self.loss_ratio)


def counts(trial: TrialReader, service: str, settled_s: Mapping[int, float]) -> dict[Part, Count]:
    """The service's counts of each part of the trial, in the order of time.

    ``settled_s`` is, per step in which something moved, the second at which the last move was applied.
    """
    rows = [row for row in trial.table("flows").to_pylist() if row["service"] == service]
    numbered = all(row["lost_packets"] is not None and row["sent_packets"] is not None for row in rows)
    found: dict[Part, Count] = {}
    for row in sorted(rows, key=lambda row: row["second"]):
        step, second = row["step"], row["second"]
        count = found.setdefault((step, second >= settled_s.get(step, float("inf"))), Count())
        sent, lost = _packets(row) if numbered else _bytes(row)
        count.seconds.add(second)
        count.sent_bytes += row["sent_bytes"]
        count.sent += sent
        count.lost += lost
    lost_when_sent = placed(
        [count.sent for count in found.values()], [count.lost for count in found.values()]
    )
    for count, lost in zip(found.values(), lost_when_sent, strict=True):
        count.lost = lost
    return found


def total(parts: Iterable[Count]) -> Count:
    """Several counts as one."""
    whole = Count()
    for part in parts:
        whole.seconds |= part.seconds
        whole.sent_bytes += part.sent_bytes
        whole.sent += part.sent
        whole.lost += part.lost
    return whole


def placed(sent: Sequence[int], lost: Sequence[int]) -> list[int]:
    """Losses by when the packets were sent: from 0 to what was sent then, the sum as it was.

    A loss is noticed when a later number arrives, and a late packet takes one back. So what does not fit
    belongs to the part before; what does not fit at the beginning, to those after it.
    """
    found, carried = list(lost), 0
    there = range(len(found))
    for index in (*reversed(there), *there):
        wanted = found[index] + carried
        found[index] = max(0, min(wanted, sent[index]))
        carried = wanted - found[index]
    return found


def _packets(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["sent_packets"], row["lost_packets"]


def _bytes(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["sent_bytes"], row["sent_bytes"] - row["delivered_bytes"]
