"""How much to move: the arithmetic of Algorithm 1, in CPU cores (§5.2 of the predictive-slicing paper)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from testbedctl.ports import VnfState

COMPUTE = ("cpu", "ram", "storage")
"""The resources that Algorithm 1 looks at (line 2)."""
EXCESS_FACTOR = 1.1
"""Line 7: room is needed for 1.1 times the excess."""
SAFE_USAGE = 0.9
"""A VNF is never filled above this part of its quota by guests."""
RELEASE_FACTOR = 0.9
"""Line 31: sharing ends below 90 % of the threshold."""


@dataclass(frozen=True)
class Camera:
    """A stream that may be moved: its rate, and what inspecting it costs."""

    flow_id: str
    rate_bps: float
    cores: float


def measured(vnf: VnfState, resources: Sequence[str] = COMPUTE) -> bool:
    """Whether usage and threshold of these resources, and the quota, are usable numbers."""
    values = [vnf.usage.get(name, math.nan) for name in resources]
    limits = [vnf.thresholds.get(name, math.nan) for name in resources]
    return all(math.isfinite(value) for value in (*values, *limits)) and 0 < vnf.cpu_quota_cores < math.inf


def excess_cores(demand_cores: float, threshold: float, quota_cores: float) -> float:
    """1.1 × (d_P − T_P C_P): what should leave an overloaded VNF, in cores (line 7)."""
    return EXCESS_FACTOR * (demand_cores - threshold * quota_cores)


def sharing_factor(vnf: VnfState, lent_cores: float) -> float:
    """ρ, the least (y_max − y_current) ÷ y_max over CPU, RAM and storage (line 9).

    Without the guests' CPU, which ``room_cores`` subtracts: ρ is what the VNF could lend in all.
    """
    free = [1 - vnf.usage[name] for name in COMPUTE]
    free[0] += lent_cores / vnf.cpu_quota_cores
    return min(1.0, max(0.0, min(free)))


def room_cores(vnf: VnfState, lent_cores: float, used_cores: float, slack: float = 0.0) -> float:
    """How much more CPU ``vnf`` can lend: within ρ, within its SLA's share limit, and staying below 90 %.

    ``slack`` widens (or, below 0, narrows) the first two by that part.
    """
    lendable = min(sharing_factor(vnf, lent_cores), vnf.share_limit) * vnf.cpu_quota_cores
    return min((1 + slack) * lendable - lent_cores, SAFE_USAGE * vnf.cpu_quota_cores - used_cores)


def whole_cameras(cameras: Sequence[Camera], excess: float, room: float) -> list[Camera]:
    """The cameras to move, largest first, within both ``excess`` and ``room`` (cores).

    If even the smallest is more than the excess but fits the room, the smallest alone.
    """
    chosen: list[Camera] = []
    left = min(excess, room)
    for camera in sorted(cameras, key=lambda c: (-c.cores, c.flow_id)):
        if camera.cores <= left:
            chosen.append(camera)
            left -= camera.cores
    if not chosen and cameras:
        smallest = min(cameras, key=lambda c: (c.cores, c.flow_id))
        chosen = [smallest] if smallest.cores <= room else []
    return chosen
