"""Carries out what a policy decided: shares become rules on the vAN's switch, and are gone when released."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count

from testbedctl.backends.local.plan import Plan, vdpi_port
from testbedctl.ports import Action, Flow, Hold, RecommendSla, Release, ScaleOut, Share, ShareInForce
from testbedctl.sdn.client import Controller
from testbedctl.sdn.requests import ShareRequest
from testbedctl.sdn.rules import Camera as CameraRule
from testbedctl.sdn.rules import Pair

KINDS = {
    Share: "share",
    Release: "release",
    ScaleOut: "scale-out",
    RecommendSla: "recommend-sla",
    Hold: "hold",
}


@dataclass(frozen=True)
class Applied:
    """What became of an action: its share and target, and when the switch confirmed it (Unix, s; or None)."""

    action: Action
    flow_ids: tuple[str, ...] = ()
    target: str | None = None
    limit: float | None = None
    applied_unix_s: float | None = None


class Actuator:
    """The shares of one trial. Every rule carries the trial's cookie, so that one call removes all of it."""

    def __init__(self, controller: Controller, plan: Plan, flows: dict[str, Flow], cookie: int):
        self._controller, self._plan, self._flows, self.cookie = controller, plan, flows, cookie
        self._shares: dict[str, ShareInForce] = {}
        self._numbers = count(1)

    def install_cameras(self) -> None:
        """An exact rule for every camera to its home vDPI."""
        for service in self._plan.services.values():
            rules = [
                CameraRule(Pair(f.source, f.destination), vdpi_port(self._plan.vdpi_number(f.home)))
                for f in self._flows.values()
                if f.service == service.name
            ]
            if rules:
                self._controller.put_cameras(service.dpid, self.cookie, rules)

    def clear(self) -> None:
        """Remove every rule of the trial."""
        self._controller.delete_run(self.cookie)
        self._shares.clear()

    @property
    def shares(self) -> tuple[ShareInForce, ...]:
        """The shares in force, oldest first."""
        return tuple(self._shares.values())

    def path(self, flow: Flow) -> str:
        """The vDPI that serves a camera now."""
        return next((s.target for s in self._shares.values() if flow.id in s.flow_ids), flow.home)

    def apply(self, action: Action) -> Applied:
        """Carry out one action and wait for the switch to confirm it."""
        if isinstance(action, Share):
            return self._share(action)
        if isinstance(action, Release):
            share = self._shares.pop(action.share_id)
            confirmed = self._controller.delete_share(action.share_id)
            return Applied(action, share.flow_ids, share.target, share.limit, confirmed.applied_unix_s)
        return Applied(action)

    def _share(self, action: Share) -> Applied:
        share_id = f"{self.cookie:x}-{next(self._numbers)}"
        service = self._plan.services[self._flows[action.flow_ids[0]].service]
        _, confirmed = self._controller.create_share(
            ShareRequest(
                id=share_id,
                switch=service.dpid,
                source=action.source,
                target=action.target,
                output_port=vdpi_port(self._plan.vdpi_number(action.target)),
                flows=tuple(Pair(self._flows[i].source, self._flows[i].destination) for i in action.flow_ids),
                cookie=self.cookie,
                limit_bps=None,
            )
        )
        self._shares[share_id] = ShareInForce(
            share_id, action.source, action.target, action.flow_ids, action.limit, time.time()
        )
        return Applied(action, action.flow_ids, action.target, action.limit, confirmed.applied_unix_s)
