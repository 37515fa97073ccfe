"""A window of telemetry (§4), and which of its VNFs are learned from (§5.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from testbedctl.errors import Inconclusive
from testbedctl.forecast.retraining.recording import Believe, Recording
from testbedctl.forecast.retraining.source import Source
from testbedctl.forecast.series import Series

Tell = Callable[[str], None]
Proportions = Mapping[str, float]
Choose = Callable[[Mapping[str, Sequence[str]], Proportions | None], tuple[Sequence[str], Proportions]]
"""From the VNFs of each class, and the proportions that the classes had so far, to the VNFs that keep them,
and the proportions that hold from now on."""


@dataclass(frozen=True)
class Window:
    """A stretch of time (Unix, s) of one source, as it was recorded."""

    source: Source
    start_unix_s: float
    end_unix_s: float
    recording: Recording

    def kept(self, before: Proportions | None, choose: Choose) -> tuple[tuple[Series, ...], Proportions]:
        """The series of those VNFs that keep the proportions of the classes, and these.

        Raises ``Inconclusive`` if nothing was measured, or nothing of a class that counts.
        """
        series = self.recording.series()
        if not series:
            raise Inconclusive(
                "Prometheus has no telemetry of VNFs in this time: nothing was promoted",
                hint="is it the Prometheus of a testbed, and was the lab up then?",
            )
        by_class: dict[str, list[str]] = defaultdict(list)
        for each in series:
            by_class[self.recording.classes[each.vm]].append(each.vm)
        names, proportions = choose(by_class, before)
        if not names:
            raise Inconclusive(
                f"no VNF is of a class that is learned from; there are {', '.join(sorted(by_class))}: "
                "nothing was promoted",
                hint="VNFs of other classes want a store of their own: give another --output",
            )
        return tuple(each for each in series if each.vm in set(names)), proportions


def record_window(
    source: Source, start_unix_s: float, end_unix_s: float, *, step_s: float, believe: Believe, tell: Tell
) -> Window:
    """Ask Prometheus for all telemetry between two times (Unix, s). Raises as ``Source.pieces``."""
    recording, told = Recording(step_s, believe), -1

    def observe(part: float) -> None:
        nonlocal told
        if int(part * 10) > told:
            told = int(part * 10)
            tell(f"fetching telemetry, {part:.0%}")

    for piece in source.pieces(start_unix_s, end_unix_s, observe=observe):
        recording.take(piece)
    return Window(source, start_unix_s, end_unix_s, recording)
