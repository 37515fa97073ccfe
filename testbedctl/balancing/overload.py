"""An overloaded VNF: what has to leave it, and which cameras that makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from testbedctl.balancing.sizing import SAFE_USAGE, Camera, excess_cores, whole_cameras
from testbedctl.ports import VnfState

WORTH_MARGIN = 0.15
"""A further share must be worth a camera and this part of the threshold: more than noise."""
ROOM_MARGIN = 0.1
"""A further share leaves this part of what the giver may lend: noise in the room is no room."""
ROUNDING = 0.05
"""The error of the sizing: by so much the giver's limit is rounded up if that ends a saturation."""
SATURATED_USAGE = 0.95
"""From here on a VNF is about to lose traffic."""


@dataclass(frozen=True)
class Overload:
    """``need`` cores where the VNF has its quota; ``cameras`` may leave; ``further`` if some have left."""

    vnf: VnfState
    need: float
    cameras: tuple[Camera, ...]
    further: bool

    @property
    def excess(self) -> float:
        """Cores that should leave."""
        return excess_cores(self.need, self.vnf.thresholds["cpu"], self.vnf.cpu_quota_cores)

    @property
    def worth_a_share(self) -> bool:
        """Whether there is a camera to move and, if some have left already, more than noise to relieve."""
        if not self.cameras or not self.further:
            return bool(self.cameras)
        margin = WORTH_MARGIN * self.vnf.thresholds["cpu"] * self.vnf.cpu_quota_cores
        return self.excess >= min(camera.cores for camera in self.cameras) + margin

    @property
    def saturated(self) -> bool:
        """Whether traffic is about to be lost; once it shares, whether more is needed than there is."""
        return self.need >= (1.0 if self.further else SATURATED_USAGE) * self.vnf.cpu_quota_cores

    def choose(self, room: Callable[[float], float]) -> list[Camera]:
        """The cameras to move, with ``room`` the giver's cores for a slack of its limit.

        The limit is taken narrower for a further share, so that a constant overload ends in one share.
        While traffic is being lost it is taken whole if there is room beyond doubt or if that ends the loss,
        and rounded if only that ends it.
        """
        first = self._fitting(room(-ROOM_MARGIN if self.further else 0.0))
        if not self.saturated or self._left(first) < SAFE_USAGE:
            return first
        whole, rounded = self._fitting(room(0.0)), self._fitting(room(ROUNDING))
        for cameras in (whole, rounded):
            if self._left(cameras) < SATURATED_USAGE:
                return cameras
        return whole if first else first

    def _fitting(self, room_cores: float) -> list[Camera]:
        return whole_cameras(self.cameras, self.excess, room_cores)

    def _left(self, moved: list[Camera]) -> float:
        """Need ÷ quota without ``moved``."""
        return (self.need - _cores(moved)) / self.vnf.cpu_quota_cores

    def without(self, moved: list[Camera]) -> Overload:
        """The overload that is left when ``moved`` have left."""
        left = tuple(camera for camera in self.cameras if camera not in moved)
        return replace(self, need=self.need - _cores(moved), cameras=left, further=True)


def _cores(cameras: list[Camera]) -> float:
    return sum(camera.cores for camera in cameras)
