"""When shares begin: an overloaded VNF and the VNF that can take some of its cameras (lines 4–14)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial

from testbedctl.balancing.candidates import candidates, room
from testbedctl.balancing.giving_back import GivingBack
from testbedctl.balancing.held import Held, Said
from testbedctl.balancing.moves import Moves
from testbedctl.balancing.overload import Overload
from testbedctl.balancing.situation import Situation
from testbedctl.balancing.sizing import RELEASE_FACTOR, Camera, measured
from testbedctl.ports import Hold, Reason, Share, VnfState
from testbedctl.units import mbps

JUMP = 1.1
"""Offered load that grew by more than this since the last sample is still on its way up."""
LEARN_S = 5.0
"""So long a first share may wait for the cost of a bit to be known well."""


class Sharing:
    """Decides which cameras of overloaded VNFs go where."""

    def __init__(self, moves: Moves, giving_back: GivingBack, *, hold_s: float):
        self._moves = moves
        self._said = Said()
        self._giving_back = giving_back
        self._hold_s = hold_s
        self._over, self._worth, self._well = Held(), Held(), Held()
        self._offered: dict[str, float] = {}
        self._rising: set[str] = set()
        self._jumped: set[str] = set()

    def actions(self, situation: Situation) -> list[Share | Hold]:
        """Shares for every overloaded VNF, the most overloaded first; a hold where nothing can be done."""
        self._watch_load(situation)
        actions: list[Share | Hold] = []
        over: list[tuple[float, VnfState]] = []
        for vnf in situation.vnfs:
            if not measured(vnf, ("cpu",)):
                text = f"the CPU usage of {vnf.key} is not measured: nothing is decided about it"
                actions += self._hold(vnf, "unmeasured", text, situation)
                self._over.seconds(vnf.key, False, situation.at_s)
            elif (over_s := self._over_s(vnf, situation)) >= 0 and not self._moves.settling(vnf.key):
                over.append((over_s, vnf))
        over.sort(key=lambda entry: -situation.need(entry[1]) / entry[1].cpu_quota_cores)
        for over_s, vnf in over:
            actions += self._relieve(vnf, over_s, situation)
        self._over.keep(situation.all)
        self._worth.keep(situation.all)
        self._well.keep(situation.all)
        return actions

    def clear(self) -> None:
        """The data had a gap: nothing is known to have held across it."""
        self._over.clear()
        self._worth.clear()
        self._well.clear()
        self._offered.clear()
        self._rising.clear()

    def _watch_load(self, situation: Situation) -> None:
        """Which VNFs' offered load has just begun to rise; what rises on is not waited for any longer."""
        offered = {vnf.key: situation.latest_bps(vnf) for vnf in situation.vnfs}
        rising = {key for key, rate in offered.items() if rate > JUMP * self._offered.get(key, 0.0)}
        self._jumped, self._rising = rising - self._rising, rising
        self._offered = offered

    def _over_s(self, vnf: VnfState, situation: Situation) -> float:
        usage, threshold = situation.usage(vnf, "cpu"), vnf.thresholds["cpu"]
        well = usage < RELEASE_FACTOR * threshold
        if self._well.seconds(vnf.key, well, situation.at_s) >= self._hold_s:
            self._said.forget(vnf.key)
        if usage < threshold:
            self._worth.seconds(vnf.key, False, situation.at_s)
        return self._over.seconds(vnf.key, usage >= threshold, situation.at_s)

    def _relieve(self, vnf: VnfState, over_s: float, situation: Situation) -> Iterable[Share | Hold]:
        if vnf.key in {share.target for share in situation.shares} | self._moves.targets():
            return self._lender(vnf, situation)
        if why := self._not_yet(vnf, over_s, situation):
            return self._hold(vnf, "measuring", f"{vnf.key} has passed its threshold: {why}", situation)
        if not situation.cost(vnf):
            text = f"{vnf.key} is over its threshold, and what passes through it is not measured"
            return self._hold(vnf, "unmeasured", text, situation)
        further = any(share.source == vnf.key for share in situation.shares)
        overload = Overload(vnf, situation.need(vnf), tuple(situation.cameras(vnf)), further)
        worth_s = self._worth.seconds(vnf.key, overload.worth_a_share, situation.at_s)
        if further and worth_s == 0 and not overload.saturated:
            return []  # a further share is not asked for on one sample
        return list(self._shares(overload, situation)) or self._stuck(overload, situation)

    def _not_yet(self, vnf: VnfState, over_s: float, situation: Situation) -> str | None:
        """A share that is sized on half a sample has to be corrected a moment later: better a second late."""
        if not situation.cost_known(vnf) and over_s < LEARN_S:
            return "what a bit costs is still being learned"
        if vnf.key in self._jumped:
            return "its load is still rising, the next sample will size the share"
        return None

    def _lender(self, vnf: VnfState, situation: Situation) -> list[Hold]:
        """A VNF that lends does not borrow (no chains); that its guests load it is no overload of its own."""
        if situation.own(vnf) < vnf.thresholds["cpu"] * vnf.cpu_quota_cores:
            return []
        text = (
            f"{vnf.key} is over its threshold by its own traffic and lends to others; it is not yet hurt, "
            "and giving back now would only move the overload to where it came from"
        )
        return self._hold(vnf, "lending", text, situation)

    def _stuck(self, overload: Overload, situation: Situation) -> list[Hold]:
        vnf = overload.vnf
        why = f"no other {vnf.function} of class {vnf.vnf_class} has room for a further whole camera"
        if not overload.worth_a_share:
            why = "what is too much is less than a further whole camera"
        needs = f"{overload.need:.3f} of its {vnf.cpu_quota_cores:.3f} cores"
        text = f"{vnf.key} is over its threshold and needs {needs}: {why}"
        return self._hold(vnf, "stuck", text, situation)

    def _shares(self, overload: Overload, situation: Situation) -> Iterator[Share]:
        """Fill the least loaded candidate, then the next, while a whole camera is worth moving."""
        vnf = overload.vnf
        for giver in candidates(vnf, situation, self._moves):
            if self._giving_back.barred(giver.key):
                continue
            if not overload.worth_a_share:
                return
            chosen = overload.choose(partial(room, giver, situation, self._moves))
            if chosen:
                yield self._share(vnf, giver, chosen, situation)
                overload = overload.without(chosen)
                self._worth.seconds(vnf.key, False, situation.at_s)

    def _share(self, vnf: VnfState, giver: VnfState, chosen: list[Camera], situation: Situation) -> Share:
        lendable = room(giver, situation, self._moves)
        cores, rate_mbps = sum(c.cores for c in chosen), mbps(sum(c.rate_bps for c in chosen))
        text = (
            f"{vnf.key} uses {vnf.usage['cpu']:.0%} of its CPU (threshold {vnf.thresholds['cpu']:.0%}) and "
            f"needs {situation.need(vnf):.3f} of {vnf.cpu_quota_cores:.3f} cores; {len(chosen)} cameras with "
            f"{rate_mbps:.0f} Mb/s ({cores:.3f} cores) go to {giver.key}, which uses "
            f"{giver.usage['cpu']:.0%} and can lend {lendable:.3f} cores"
        )
        lends = situation.lent(giver) + self._moves.reserved(giver.key) + max(lendable, cores)
        self._moves.record(vnf.key, giver.key, cores, situation.at_s)
        self._said.forget(vnf.key)
        flow_ids = tuple(camera.flow_id for camera in chosen)
        return Share(
            vnf.key,
            giver.key,
            flow_ids,
            lends / giver.cpu_quota_cores,
            _reason(vnf, text, situation),
        )

    def _hold(self, vnf: VnfState, kind: str, text: str, situation: Situation) -> list[Hold]:
        return [Hold(vnf.key, _reason(vnf, text, situation))] if self._said.news(vnf.key, kind) else []


def _reason(vnf: VnfState, text: str, situation: Situation) -> Reason:
    return Reason(
        vnf.key,
        vnf.usage.get("cpu", math.nan),
        situation.predicted(vnf, "cpu"),
        vnf.thresholds.get("cpu", math.nan),
        text,
    )
