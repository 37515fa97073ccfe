"""Carries out what a policy decided: shares become rules on the vAN's switch, and are gone when released."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from testbedctl.backends.local.plan import Plan, vdpi_port
from testbedctl.errors import RunFailed, TestbedError
from testbedctl.ports import (
    Action,
    Flow,
    Hold,
    Policy,
    Reason,
    RecommendSla,
    Release,
    ScaleOut,
    Share,
    ShareInForce,
    VnfState,
)
from testbedctl.sdn.client import Controller, ControllerSilent
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
CONTROLLER_TIMEOUT_S = 2.5
"""A trial notices a controller that hangs within 3 s; it waits 2 s for a switch itself."""
HINT = "see docs/how-to/policy.md"


@dataclass(frozen=True)
class Applied:
    """What became of an action: its share and target, and when the switch confirmed it (Unix, s; or None)."""

    action: Action
    flow_ids: tuple[str, ...] = ()
    target: str | None = None
    limit: float | None = None
    applied_unix_s: float | None = None


class Actuator:
    """The shares of one trial of ``arm``. All rules carry its cookie, so that one call removes them."""

    def __init__(self, controller: Controller, plan: Plan, flows: dict[str, Flow], cookie: int, arm: str):
        self._controller, self._plan, self._flows, self.cookie = controller, plan, flows, cookie
        self._arm = arm
        self._placed = {flow.id: flow.home for flow in flows.values()}
        self._shares: dict[str, ShareInForce] = {}
        self._numbers = count(1)

    def install_cameras(self, policy: Policy, vdpis: Sequence[VnfState]) -> None:
        """An exact rule for every camera to the vDPI where the policy places it, else to its home.

        Raises ``RunFailed`` naming the arm for an answer that cannot serve the camera.
        """
        for flow in self._flows.values():
            self._placed[flow.id] = self._place(policy, flow, vdpis)
        for service in self._plan.services.values():
            rules = [
                CameraRule(Pair(f.source, f.destination), self._port(self._placed[f.id]))
                for f in self._flows.values()
                if f.service == service.name
            ]
            if rules:
                self._controller.put_cameras(service.dpid, self.cookie, rules)

    def clear(self) -> None:
        """Remove every rule of the trial.

        An error that is on its way stays the cause: what fails here is told after it. A controller that was
        silent is not asked again, for every run begins by removing the rules of all others.
        """
        first = sys.exc_info()[1]
        self._shares.clear()
        if isinstance(first, ControllerSilent):
            return
        try:
            self._controller.delete_run(self.cookie)
        except RunFailed as error:
            left = f"rules of the arm {self._arm!r} are still on the switches: {error.message}"
            if isinstance(first, TestbedError):
                first.message += f"; then {left}"
            elif first is not None:
                first.add_note(left)
            else:
                raise RunFailed(left, hint="the next stress removes them, or down") from error

    @property
    def shares(self) -> tuple[ShareInForce, ...]:
        """The shares in force, oldest first."""
        return tuple(self._shares.values())

    def path(self, flow: Flow) -> str:
        """The vDPI that serves a camera now."""
        placed = self._placed[flow.id]
        return next((s.target for s in self._shares.values() if flow.id in s.flow_ids), placed)

    def apply(self, action: Action) -> Applied:
        """Carry out one action and wait for the switch to confirm it; scaling out and a new SLA are recorded
        alone. Raises ``RunFailed`` naming the arm if the action makes no sense."""
        if wrong := self._wrong(action):
            kind = KINDS.get(type(action), type(action).__name__)
            raise RunFailed(f"arm {self._arm!r}: {kind!r} cannot be done: {wrong}", hint=HINT)
        if isinstance(action, Share):
            return self._share(action)
        if isinstance(action, Release):
            share = self._shares[action.share_id]
            confirmed = self._controller.delete_share(action.share_id)
            del self._shares[action.share_id]
            return Applied(action, share.flow_ids, share.target, share.limit, confirmed.applied_unix_s)
        return Applied(action)

    def _place(self, policy: Policy, flow: Flow, vdpis: Sequence[VnfState]) -> str:
        fit = [vnf for vnf in vdpis if self._can_serve(vnf.key, flow)]
        answer = policy.place(flow, fit)
        known = [vnf.key for vnf in fit]
        if answer is None or answer in known:
            return answer or flow.home
        raise RunFailed(
            f"arm {self._arm!r}: it places the camera {flow.id} on {answer!r}, which cannot serve it",
            hint=f"'place' returns None or one of its targets: {', '.join(known)}",
        )

    def _can_serve(self, key: str, flow: Flow) -> bool:
        """Whether a VNF has the same function and class as the camera's own."""
        kinds = {(v.spec.type, v.spec.vnf_class) for v in (self._plan.vnfs[key], self._plan.vnfs[flow.home])}
        return len(kinds) == 1

    def _wrong(self, action: Action) -> str | None:
        """What is the matter with an action, or None."""
        if type(action) not in KINDS:
            return "it is none of testbedctl.ports"
        if not isinstance(action.reason, Reason):
            return f"its reason is {action.reason!r}"
        named = [action.reason.vnf]
        named += [action.vnf] if isinstance(action, ScaleOut | RecommendSla | Hold) else []
        named += [action.source, action.target] if isinstance(action, Share) else []
        unknown = [key for key in named if key not in [*self._plan.vnfs]]
        if unknown:
            return f"there is no VNF {unknown[0]!r}"
        if isinstance(action, Release) and action.share_id not in [*self._shares]:
            return f"there is no share {action.share_id!r} in force"
        return self._wrong_share(action) if isinstance(action, Share) else None

    def _wrong_share(self, share: Share) -> str | None:
        if not isinstance(share.flow_ids, tuple | list) or not share.flow_ids:
            return "it moves no camera"
        unknown = [i for i in share.flow_ids if i not in [*self._flows]]
        if unknown:
            return f"there is no camera {unknown[0]!r}"
        if len(set(share.flow_ids)) < len(share.flow_ids):
            return "it names a camera twice"
        flows = [self._flows[i] for i in share.flow_ids]
        if len({flow.service for flow in flows}) > 1:
            return "its cameras are of different services"
        if not all(self._can_serve(share.target, flow) for flow in flows):
            return f"{share.target} is not of the function and class of {flows[0].home}"
        taken = [i for s in self._shares.values() for i in s.flow_ids if i in share.flow_ids]
        return f"the camera {taken[0]} is in a share already" if taken else None

    def _share(self, action: Share) -> Applied:
        share_id = f"{self.cookie:x}-{next(self._numbers)}"
        flow_ids = tuple(action.flow_ids)
        service = self._plan.services[self._flows[flow_ids[0]].service]
        _, confirmed = self._controller.create_share(
            ShareRequest(
                id=share_id,
                switch=service.dpid,
                source=action.source,
                target=action.target,
                output_port=self._port(action.target),
                flows=tuple(Pair(self._flows[i].source, self._flows[i].destination) for i in flow_ids),
                cookie=self.cookie,
                limit_bps=None,
            )
        )
        self._shares[share_id] = ShareInForce(
            share_id, action.source, action.target, flow_ids, action.limit, time.time()
        )
        return Applied(action, flow_ids, action.target, action.limit, confirmed.applied_unix_s)

    def _port(self, vdpi: str) -> str:
        """The vAN's port towards a vDPI."""
        return vdpi_port(self._plan.vdpi_number(vdpi))
