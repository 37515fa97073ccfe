"""Progress of a run on stderr: a live bar on a terminal, one line per trial in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task, TextColumn
from rich.progress_bar import ProgressBar
from rich.text import Text

from testbedctl.units import human_duration, mbps

if TYPE_CHECKING:
    from testbedctl.experiment.record import Outcome
    from testbedctl.records.manifest import Planned
    from testbedctl.traffic.schedule import Camera, Schedule, Step


ARM_SHOWN = 18


class RunProgress:
    """Shows a run as it goes (``experiment.run.Observer``)."""

    def __init__(self, console: Console, bar: Progress | None):
        self._console, self._bar = console, bar
        self._task = bar.add_task("preparing", total=None) if bar else None
        self._title = self._short_title = ""

    def trial_begun(self, planned: Planned, of: int) -> None:
        """A trial begins."""
        self._title = f"trial {planned.n}/{of} {planned.arm}"
        self._short_title = f"trial {planned.n}/{of} {_shortened(planned.arm)}"
        self._restart(None)
        self._describe("warming up")

    def started(self, schedule: Schedule) -> None:
        """Traffic begins."""
        self._restart(schedule.duration_s)

    def step_changed(self, step: Step) -> None:
        """A step begins."""
        self._describe(f"{mbps(step.offered_bps):g} Mb/s")

    def camera_started(self, camera: Camera) -> None:
        """Not shown: the step says enough."""

    def completed(self, schedule: Schedule) -> None:  # noqa: ARG002 - the observer's protocol
        """Traffic has ended."""
        self._restart(None)
        self._describe("draining")

    def decided(self, sentence: str) -> None:
        """The policy did something."""
        self._tell(f"{self._title}: {sentence}")

    def trial_ended(self, outcome: Outcome) -> None:
        """A trial has ended."""
        verdict = "done" if outcome.valid else f"invalid and repeated: {outcome.cause}"
        self._tell(f"{self._title}: {verdict}")
        for warning in outcome.warnings:
            self._tell(f"  warning: {warning}")

    def _tell(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=not self._console.is_terminal)

    def _describe(self, phase: str) -> None:
        if self._bar and self._task is not None:
            self._bar.update(self._task, description=f"{self._short_title}: {phase}")

    def _restart(self, total_s: float | None) -> None:
        """Begin a phase that lasts ``total_s``, or nobody knows how long."""
        if self._bar and self._task is not None:
            self._bar.reset(self._task, total=total_s)
            # reset keeps an old total where the new one is None
            self._bar.tasks[0].total = total_s


class _Passed(ProgressColumn):
    """A bar that goes by the clock: a step may last minutes, and nothing is reported within it."""

    def render(self, task: Task) -> ProgressBar:
        """The bar; it swings to and fro where the end is not known."""
        passed = min(task.elapsed or 0.0, task.total) if task.total else 0.0
        return ProgressBar(task.total, passed, width=20, pulse=task.total is None)


class _Left(ProgressColumn):
    """What is left of the trial's traffic."""

    def render(self, task: Task) -> Text:
        """The time, or nothing where the end is not known."""
        if task.total is None:
            return Text("")
        return Text(f"{human_duration(max(0.0, task.total - (task.elapsed or 0.0)))} left")


def _shortened(arm: str) -> str:
    """An arm with many options would push the bar out of a line of 80 columns."""
    return arm if len(arm) <= ARM_SHOWN else f"{arm[: ARM_SHOWN - 1]}…"


@contextmanager
def progress_of(console: Console) -> Iterator[RunProgress]:
    """The progress display of a run."""
    if not console.is_terminal:
        yield RunProgress(console, None)
        return
    columns = (TextColumn("{task.description}", markup=False), _Passed(), _Left())
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as bar:
        yield RunProgress(console, bar)
