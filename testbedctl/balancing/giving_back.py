"""When shares end: the load is gone (lines 31–33 of Algorithm 1), or the giver needs its CPU itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from testbedctl.balancing.held import Held, Said
from testbedctl.balancing.moves import Moves
from testbedctl.balancing.situation import Situation
from testbedctl.balancing.sizing import COMPUTE, RELEASE_FACTOR, SAFE_USAGE, measured
from testbedctl.ports import Hold, Reason, Release, ShareInForce, VnfState

HURT_USAGE = 1.05
"""A giver that needs so much of its quota loses traffic; less is the error of the measured rates."""


class GivingBack:
    """Decides which shares are released, and which VNFs shall not lend for a while."""

    def __init__(self, moves: Moves, *, settle_s: float, hold_s: float):
        self._moves = moves
        self._said = Said()
        self._settle_s = settle_s
        self._hold_s = hold_s
        self._low, self._hurt, self._calm = Held(), Held(), Held()
        self._barred: set[str] = set()

    def actions(self, situation: Situation) -> list[Release | Hold]:
        """Releases, and a hold where a missing value forbids one."""
        by_target: dict[str, list[ShareInForce]] = defaultdict(list)
        by_source: dict[str, list[ShareInForce]] = defaultdict(list)
        for share in sorted(situation.shares, key=lambda s: (-s.since_s, s.id)):
            by_target[share.target].append(share)
            by_source[share.source].append(share)
        self._calm_down(situation)
        actions: list[Release | Hold] = []
        for target, shares in by_target.items():
            actions += self._for_the_giver(target, shares, situation)
        given = {action.share_id for action in actions if isinstance(action, Release)}
        for source, shares in by_source.items():
            actions += self._no_longer_needed(source, [s for s in shares if s.id not in given], situation)
        self._low.keep({share.id for share in situation.shares})
        self._hurt.keep(set(by_target))
        return actions

    def barred(self, vnf: str) -> bool:
        """Whether the VNF gave guests back for its own sake and has not been calm since."""
        return vnf in self._barred

    def clear(self) -> None:
        """The data had a gap: no condition is known to have held across it."""
        for held in (self._low, self._hurt, self._calm):
            held.clear()

    def _calm_down(self, situation: Situation) -> None:
        self._barred &= set(situation.all)
        for key in sorted(self._barred):
            vnf = situation.all[key]
            calm = measured(vnf) and vnf.usage["cpu"] < RELEASE_FACTOR * vnf.thresholds["cpu"]
            if self._calm.seconds(key, calm, situation.at_s) >= self._hold_s:
                self._barred.discard(key)
                self._calm.seconds(key, False, situation.at_s)

    def _for_the_giver(
        self, target: str, shares: list[ShareInForce], situation: Situation
    ) -> Iterator[Release | Hold]:
        """Newest first, as many as bring the giver below 90 % of its quota again."""
        giver = situation.all.get(target)
        if giver is None:
            for share in shares:
                yield self._release(share, 0.0, 1.0, f"{target} is gone: its guests return", situation)
            return
        if not measured(giver, ("cpu",)) or self._moves.settling(target):
            self._hurt.seconds(target, False, situation.at_s)
            return
        quota, demand, own = giver.cpu_quota_cores, situation.demand(giver), situation.own(giver)
        hurt = demand >= HURT_USAGE * quota or (
            demand >= SAFE_USAGE * quota and own >= giver.thresholds["cpu"] * quota
        )
        if self._hurt.seconds(target, hurt, situation.at_s) < self._settle_s:
            return
        self._barred.add(target)
        for share in shares:
            text = (
                f"{target} needs {demand:.3f} of its {quota:.3f} cores, {own:.3f} for its own service: "
                f"{share.source} takes {len(share.flow_ids)} cameras back"
            )
            yield self._release(share, demand / quota, giver.thresholds["cpu"], text, situation)
            demand -= situation.returning(share)
            if demand < SAFE_USAGE * quota:
                return

    def _no_longer_needed(
        self, source: str, shares: list[ShareInForce], situation: Situation
    ) -> Iterator[Release | Hold]:
        """Newest first, each with the load of all before it: as many as the source can take back."""
        vnf = situation.all.get(source)
        if vnf is None or not shares:
            return
        unknown = [name for name in COMPUTE if not measured(vnf, (name,))]
        if not unknown:
            self._said.forget(source)
        else:
            for share in shares:
                self._low.seconds(share.id, False, situation.at_s)
            text = f"{source} shares, and its {unknown[0]} usage is not measured: no release without it"
            if unknown[0] != "cpu" and self._said.news(source, "unreleasable"):  # "cpu" is said by Sharing
                yield Hold(source, Reason(source, vnf.usage.get("cpu", 0.0), None, 0.0, text))
            return
        threshold = vnf.thresholds["cpu"]
        returning, settling = 0.0, self._moves.settling(source)
        for share in shares:
            returning += situation.returning(share)
            after = situation.usage(vnf, "cpu") + returning / vnf.cpu_quota_cores
            low = not settling and after < RELEASE_FACTOR * threshold and self._others_low(vnf, situation)
            if self._low.seconds(share.id, low, situation.at_s) >= self._hold_s:
                text = (
                    f"{source} uses {vnf.usage['cpu']:.0%} of its CPU and would use {after:.0%} with "
                    f"{len(share.flow_ids)} cameras back, below {RELEASE_FACTOR * threshold:.0%} "
                    f"for {self._hold_s:.0f} s"
                )
                yield self._release(share, vnf.usage["cpu"], threshold, text, situation)

    def _others_low(self, vnf: VnfState, situation: Situation) -> bool:
        return all(
            situation.usage(vnf, name) < RELEASE_FACTOR * vnf.thresholds[name] for name in ("ram", "storage")
        )

    def _release(
        self, share: ShareInForce, observed: float, threshold: float, text: str, situation: Situation
    ) -> Release:
        self._moves.record(share.source, share.target, 0.0, situation.at_s)
        source = situation.all.get(share.source)
        forecast = situation.predicted(source, "cpu") if source else None
        return Release(share.id, Reason(share.source, observed, forecast, threshold, text))
