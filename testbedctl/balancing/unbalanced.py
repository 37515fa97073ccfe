"""Arm ``none``: the testbed as it is, the *before* of every comparison."""

from __future__ import annotations

from collections.abc import Sequence

from testbedctl.ports import Action, Flow, Observation, VnfState


class Unbalanced:
    """Never acts: every camera stays with the VNF of its own service."""

    def decide(self, observation: Observation) -> list[Action]:  # noqa: ARG002 - the port's wording
        """No action, whatever is seen."""
        return []

    def place(self, flow: Flow, targets: Sequence[VnfState]) -> str | None:  # noqa: ARG002
        """Every new flow goes to its own service's VNF."""
        return None
