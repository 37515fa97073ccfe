"""Progress of a run on stderr: a live bar on a terminal, one line per trial in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from testbedctl.units import mbps

if TYPE_CHECKING:
    from testbedctl.experiment.trial import Outcome
    from testbedctl.records.manifest import Planned
    from testbedctl.traffic.schedule import Camera, Schedule, Step


class RunProgress:
    """Shows a run as it goes (``experiment.run.Observer``)."""

    def __init__(self, console: Console, bar: Progress | None):
        self._console, self._bar = console, bar
        self._task = bar.add_task("preparing", total=None) if bar else None
        self._title = ""

    def trial_begun(self, planned: Planned, of: int) -> None:
        """A trial begins."""
        self._title = f"trial {planned.n}/{of} {planned.arm}"
        self._update(f"{self._title}: warming up", 0.0)

    def started(self, schedule: Schedule) -> None:
        """Traffic begins."""
        if self._bar and self._task is not None:
            self._bar.reset(self._task, total=len(schedule.steps))

    def step_changed(self, step: Step) -> None:
        """A step begins."""
        self._update(f"{self._title}: {mbps(step.offered_bps):g} Mb/s", step.step - 1)

    def camera_started(self, camera: Camera) -> None:
        """Not shown: the step says enough."""

    def completed(self, schedule: Schedule) -> None:
        """Traffic has ended."""
        self._update(f"{self._title}: draining", len(schedule.steps))

    def decided(self, sentence: str) -> None:
        """The policy did something."""
        self._console.print(f"{self._title}: {sentence}", soft_wrap=True)

    def trial_ended(self, outcome: Outcome) -> None:
        """A trial has ended."""
        verdict = "done" if outcome.valid else f"invalid and repeated: {outcome.cause}"
        self._console.print(f"{self._title}: {verdict}", soft_wrap=True)
        for warning in outcome.warnings:
            self._console.print(f"  warning: {warning}", soft_wrap=True)

    def _update(self, text: str, completed: float) -> None:
        if self._bar and self._task is not None:
            self._bar.update(self._task, description=text, completed=completed)


@contextmanager
def progress_of(console: Console) -> Iterator[RunProgress]:
    """The progress display of a run."""
    if not console.is_terminal:
        yield RunProgress(console, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as bar:
        yield RunProgress(console, bar)
