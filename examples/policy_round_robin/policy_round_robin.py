"""An example policy: new cameras take turns over the VNFs that could serve them.

It knows nothing of load. That makes it a good control: a policy that measures should beat one that does not.
Installed with ``pip install ./examples/policy_round_robin``, it is used with ``--arm round-robin``.
"""

from __future__ import annotations

from collections.abc import Sequence

from testbedctl.errors import UsageError
from testbedctl.ports import Action, Flow, Observation, VnfState


class RoundRobin:
    """Places every ``every``-th new camera on the next other VNF, the rest at home; moves nothing later.

    ``--arm round-robin:every=3`` sets ``every``; the default 2 sends every second camera elsewhere.
    """

    def __init__(self, every: int = 2):
        if every < 1:
            raise UsageError(f"round-robin: every={every}", hint="a whole number from 1")
        self._every = every
        self._placed = 0
        self._turn = 0

    def decide(self, observation: Observation) -> list[Action]:  # noqa: ARG002 - the port's wording
        """Nothing: a camera stays where it was placed."""
        return []

    def place(self, flow: Flow, targets: Sequence[VnfState]) -> str | None:
        """The VNF for a new camera, or None for its home."""
        self._placed += 1
        others = sorted(target.key for target in targets if target.key != flow.home)
        if not others or self._placed % self._every:
            return None
        self._turn += 1
        return others[(self._turn - 1) % len(others)]
