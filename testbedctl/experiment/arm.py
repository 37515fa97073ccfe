"""A policy under the name of its arm: whatever it does wrong is told with that name."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from testbedctl.balancing.registry import policy
from testbedctl.errors import RunFailed
from testbedctl.experiment.actuator import KINDS
from testbedctl.ports import Action, Flow, Observation, VnfState
from testbedctl.telemetry import decisions

HINT = "see docs/how-to/policy.md"


class Arm:
    """The policy of one trial; what it decides is counted in the file ``counts``.

    A bad name or option raises ``UsageError``. A policy that raises, or returns no list, raises
    ``RunFailed``; whether its actions can be carried out is for the actuator to say.
    """

    def __init__(self, name: str, counts: Path):
        self._name, self._counts = name, counts
        self._policy = policy(name)[1]

    def decide(self, observation: Observation) -> list[Action]:
        """What the policy decides."""
        try:
            actions = self._policy.decide(observation)
        except Exception as error:  # a plug-in may raise anything
            raise self._failed("decide", error) from error
        if not isinstance(actions, list):
            said = f"'decide' returned {type(actions).__name__}, not a list of actions"
            raise RunFailed(f"arm {self._name!r}: {said}", hint=HINT)
        kinds = [KINDS[type(action)] for action in actions if type(action) in KINDS]
        if kinds:
            decisions.add(self._counts, kinds)
        return actions

    def place(self, flow: Flow, targets: Sequence[VnfState]) -> str | None:
        """Where the policy places a new camera."""
        try:
            return self._policy.place(flow, targets)
        except Exception as error:  # as above
            raise self._failed("place", error) from error

    def _failed(self, method: str, error: Exception) -> RunFailed:
        *_, last = traceback.extract_tb(error.__traceback__)
        where = f"{Path(last.filename).name}:{last.lineno}"
        said = f"{type(error).__name__}: {error}"
        return RunFailed(f"arm {self._name!r}: {method!r} failed at {where}: {said}", hint=HINT)
