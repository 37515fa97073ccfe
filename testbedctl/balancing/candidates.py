"""The VNFs that could serve another service's cameras (lines 5–7 of Algorithm 1)."""

from __future__ import annotations

from testbedctl.balancing.moves import Moves
from testbedctl.balancing.situation import Situation
from testbedctl.balancing.sizing import COMPUTE, measured, room_cores
from testbedctl.ports import VnfState


def candidates(vnf: VnfState, situation: Situation, moves: Moves) -> list[VnfState]:
    """Same function and class, another service of the same cloud; least loaded first (line 6).

    Not those that are over a threshold by themselves, that borrow, or whose usage is not measured.
    """
    borrowers = {share.source for share in situation.shares} | moves.sources()
    kind = (vnf.function, vnf.vnf_class, vnf.domain)
    fit = [
        other
        for other in situation.vnfs
        if (other.function, other.vnf_class, other.domain) == kind
        and other.service != vnf.service
        and other.key not in borrowers
        and measured(other)
        and not _over_by_itself(other, situation)
    ]
    return sorted(fit, key=lambda other: (*_load(other, situation, moves), other.key))


def room(giver: VnfState, situation: Situation, moves: Moves, slack: float = 0.0) -> float:
    """Cores that ``giver`` can lend beyond what it lends and what recent moves have reserved."""
    reserved = moves.reserved(giver.key)
    return room_cores(giver, situation.lent(giver) + reserved, situation.need(giver) + reserved, slack)


def _load(vnf: VnfState, situation: Situation, moves: Moves) -> tuple[float, float]:
    """The largest usage of all resources and, among equals, that of the CPU."""
    reserved = moves.reserved(vnf.key) / vnf.cpu_quota_cores
    usage = {name: situation.usage(vnf, name) for name in COMPUTE}
    cpu = usage["cpu"] + reserved
    return max(cpu, usage["ram"], usage["storage"]), cpu


def _over_by_itself(vnf: VnfState, situation: Situation) -> bool:
    cpu = (situation.need(vnf) - situation.lent(vnf)) / vnf.cpu_quota_cores
    return cpu >= vnf.thresholds["cpu"] or any(
        situation.usage(vnf, name) >= vnf.thresholds[name] for name in ("ram", "storage")
    )
