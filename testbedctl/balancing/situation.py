"""One observation, worked out: what every VNF would use if it had the CPU, for itself and for its guests."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from testbedctl.balancing.cost import CostLine
from testbedctl.balancing.rates import CameraRates
from testbedctl.balancing.sizing import SAFE_USAGE, Camera, measured
from testbedctl.ports import Flow, Observation, ShareInForce, VnfState

SHAREABLE = ("vdpi",)
"""Functions whose VNFs can serve the cameras of another service."""


class Situation:
    """Demands in cores. The CPU of a saturated VNF hides its excess, so a demand is the larger of what is
    used and of what the cameras offered at the vAN will cost (``CostLine``). A switch that is always busy
    takes more packets at each waking, so that a bit costs less than the line says: a VNF near its quota
    shows what it costs then, and that bounds its own line."""

    def __init__(
        self,
        observation: Observation,
        costs: Mapping[str, CostLine],
        rates: CameraRates,
        forecast: Mapping[str, Mapping[str, float]],
    ):
        self.at_s = observation.at_s
        self.shares = observation.shares
        self.all = observation.vnfs
        self.vnfs = [vnf for _, vnf in sorted(observation.vnfs.items()) if vnf.function in SHAREABLE]
        self.forecast = forecast
        self._rates = rates
        self._lines = {function: cost.line() for function, cost in costs.items()}
        self._known = {function: cost.known for function, cost in costs.items()}
        self._through: dict[str, list[Flow]] = defaultdict(list)
        for flow in observation.flows:
            self._through[flow.path].append(flow)

    def cost_known(self, vnf: VnfState) -> bool:
        """Whether the cost of a bit is known well for the VNF's function."""
        return self._known.get(vnf.function, False)

    def cost(self, vnf: VnfState) -> float:
        """Cores per bit/s, as well as it is known; 0 if it is not."""
        return self._line(vnf)[1]

    def predicted(self, vnf: VnfState, resource: str) -> float | None:
        """The forecast usage, or None if there is none or it is absurd."""
        value = self.forecast.get(vnf.key, {}).get(resource, math.nan)
        return value if math.isfinite(value) and value >= 0 else None

    def usage(self, vnf: VnfState, resource: str) -> float:
        """Observed usage, or the forecast where that is higher: a forecast never lowers it."""
        return max(vnf.usage[resource], self.predicted(vnf, resource) or 0.0)

    def offered_bps(self, vnf: VnfState) -> float:
        """What the vANs send through the VNF now, smoothed."""
        return sum(self._rates.bps(flow.id) for flow in self._through[vnf.key])

    def latest_bps(self, vnf: VnfState) -> float:
        """The same as measured in the latest sample alone."""
        rates = (flow.rate_bps for flow in self._through[vnf.key])
        return sum(rate for rate in rates if math.isfinite(rate))

    def cameras(self, vnf: VnfState) -> list[Camera]:
        """The VNF's own cameras that it serves itself and that send."""
        cost = self._line(vnf)[1]
        own = [flow.id for flow in self._through[vnf.key] if flow.home == vnf.key]
        rates = {flow_id: self._rates.bps(flow_id) for flow_id in own}
        return [Camera(flow_id, rate, cost * rate) for flow_id, rate in rates.items() if rate]

    def demand(self, vnf: VnfState) -> float:
        """Cores that the VNF needs for everything sent through it."""
        base, cost = self._line(vnf)
        return max(min(1.0, vnf.usage["cpu"]) * vnf.cpu_quota_cores, base + cost * self.offered_bps(vnf))

    def need(self, vnf: VnfState) -> float:
        """Cores that the VNF needs now or, if that is more, by the forecast."""
        return max(self.demand(vnf), (self.predicted(vnf, "cpu") or 0.0) * vnf.cpu_quota_cores)

    def lent(self, vnf: VnfState) -> float:
        """Cores that the VNF spends on guests."""
        cost = self._line(vnf)[1]
        guests = (flow for flow in self._through[vnf.key] if flow.home != vnf.key)
        return sum(cost * self._rates.bps(flow.id) for flow in guests)

    def own(self, vnf: VnfState) -> float:
        """Cores that the VNF needs for its own service."""
        base, _ = self._line(vnf)
        own = base + sum(camera.cores for camera in self.cameras(vnf))
        return max(vnf.usage["cpu"] * vnf.cpu_quota_cores - self.lent(vnf), own)

    def returning(self, share: ShareInForce) -> float:
        """Cores that come back to the source when the share is released.

        While the cost of a bit is unknown, an upper bound: everything its target uses.
        """
        target = self.all.get(share.target)
        if target is None:
            return math.inf
        if not self.cost_known(target):
            return target.usage["cpu"] * target.cpu_quota_cores if measured(target, ("cpu",)) else math.inf
        return sum(self._line(target)[1] * self._rates.bps(flow_id) for flow_id in share.flow_ids)

    def _line(self, vnf: VnfState) -> tuple[float, float]:
        base, cost = self._lines.get(vnf.function, (0.0, 0.0))
        if vnf.usage.get("cpu", math.nan) >= SAFE_USAGE and vnf.processed_bps > 0:
            used = vnf.usage["cpu"] * vnf.cpu_quota_cores
            cost = min(cost, max(0.0, used - base) / vnf.processed_bps)
        return base, cost
