"""Arm ``reactive``: the VNF sharing of Algorithm 1 within one cloud (§5.2 of the predictive-slicing paper).

``docs/explanation/reactive.md`` says how each line was read, and why.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from testbedctl.balancing.cost import CostLine
from testbedctl.balancing.giving_back import GivingBack
from testbedctl.balancing.history import History
from testbedctl.balancing.moves import Moves
from testbedctl.balancing.rates import CameraRates
from testbedctl.balancing.sharing import Sharing
from testbedctl.balancing.situation import SHAREABLE, Situation
from testbedctl.balancing.sizing import measured
from testbedctl.errors import UsageError
from testbedctl.ports import Action, Flow, Forecaster, Hold, Observation, Reason, VnfState

STALE_S = 3.0
"""Data older than this is not acted on."""


class Reactive:
    """Shares the VNF of another service when one is overloaded; the same code with a model is ``predictive``.

    ``threshold`` replaces every VNF's CPU threshold (a ratio); ``settle_s`` is how long the samples after a
    move are not trusted; ``hold_s`` how long the load must have been low before a share is released, and
    how long a VNF must have been calm before it lends again after it gave guests back. Raises
    ``UsageError`` for values that make no sense.
    """

    def __init__(
        self,
        forecaster: Forecaster | None = None,
        *,
        threshold: float | None = None,
        settle_s: float = 2.0,
        hold_s: float = 30.0,
    ):
        _check(threshold, settle_s, hold_s)
        self._threshold = threshold
        self._history = History(forecaster) if forecaster else None
        self._costs: dict[str, CostLine] = defaultdict(CostLine)
        self._rates = CameraRates()
        self._moves = Moves(settle_s)
        self._giving_back = GivingBack(self._moves, settle_s=settle_s, hold_s=hold_s)
        self._sharing = Sharing(self._moves, self._giving_back, hold_s=hold_s)
        self._at_s = -math.inf
        self._stale = False

    def decide(self, observation: Observation) -> list[Action]:
        """Give back what has to be, then share what has to be.

        An empty list means that nothing is wrong, that nothing can be done and has been said already, or
        that the observation brings no new sample.
        """
        if not observation.age_s <= STALE_S:
            return self._hold_stale(observation)
        if observation.at_s == self._at_s:
            return []
        if observation.at_s < self._at_s:  # the clock was set back: times from before mean nothing now
            self._moves.clear()
            self._forget_gap()
        self._at_s, self._stale = observation.at_s, False
        situation = self._learn(observation)
        self._moves.update(situation.shares, situation.at_s)
        return [*self._giving_back.actions(situation), *self._sharing.actions(situation)]

    def place(self, flow: Flow, targets: Sequence[VnfState]) -> str | None:  # noqa: ARG002 - the port's wording
        """Every new camera starts at its own service's VNF, also while that one shares.

        A camera's rate and cost are unknown before it sends; one sample later ``decide`` knows them and
        moves it if it has to, with the room that is really left.
        """
        return None

    def _learn(self, observation: Observation) -> Situation:
        if self._threshold is not None:
            vnfs = {key: _with_threshold(vnf, self._threshold) for key, vnf in observation.vnfs.items()}
            observation = replace(observation, vnfs=vnfs)
        forecast: Mapping[str, Mapping[str, float]] = observation.forecast or {}
        if self._history:
            own = self._history.forecast(observation)
            forecast = own if observation.forecast is None else forecast
        self._rates.learn(observation.flows)
        for vnf in observation.vnfs.values():
            if vnf.function in SHAREABLE:
                cost = self._costs[vnf.function]
                if measured(vnf, ("cpu",)) and math.isfinite(vnf.processed_bps):
                    cost.learn(vnf.usage["cpu"], vnf.cpu_quota_cores, vnf.processed_bps)
        return Situation(observation, self._costs, self._rates, forecast)

    def _hold_stale(self, observation: Observation) -> list[Action]:
        """Nothing is decided on old data; said once, of the first VNF that could have been decided about."""
        self._forget_gap()
        shareable = sorted(key for key, vnf in observation.vnfs.items() if vnf.function in SHAREABLE)
        if self._stale or not shareable:
            return []
        self._stale = True
        vnf = observation.vnfs[shareable[0]]
        observed, threshold = vnf.usage.get("cpu", math.nan), vnf.thresholds.get("cpu", math.nan)
        text = (
            f"the newest sample is {observation.age_s:.1f} s old (limit {STALE_S:.0f} s): nothing is changed"
        )
        return [Hold(vnf.key, Reason(vnf.key, observed, None, threshold, text))]

    def _forget_gap(self) -> None:
        self._giving_back.clear()
        self._sharing.clear()


def _with_threshold(vnf: VnfState, threshold: float) -> VnfState:
    return replace(vnf, thresholds={**vnf.thresholds, "cpu": threshold})


def _check(threshold: float | None, settle_s: float, hold_s: float) -> None:
    if threshold is not None and not 0 < threshold <= 1:
        raise UsageError(f"threshold {threshold} of policy 'reactive'", hint="a ratio above 0 and up to 1")
    for name, value in (("settle_s", settle_s), ("hold_s", hold_s)):
        if not 0 <= value <= 3600:
            raise UsageError(f"{name} {value} of policy 'reactive'", hint="seconds, from 0 to 3600")
