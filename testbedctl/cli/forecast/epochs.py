"""Progress of a training on stderr: a live bar on a terminal, one line per epoch in a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from testbedctl.cli.output import err

if TYPE_CHECKING:
    from rich.progress import Progress

    from testbedctl.forecast.training.document import Epoch


class EpochProgress:
    """Shows epochs as they end, and ends the training when its time is over."""

    def __init__(self, epochs: int, max_minutes: float | None, bar: Progress | None):
        self.out_of_time = False
        self._epochs, self._bar = epochs, bar
        self._ends = time.monotonic() + max_minutes * 60 if max_minutes is not None else None
        self._task = bar.add_task("epoch 1", total=epochs) if bar else None

    def observe(self, epoch: Epoch) -> None:
        """An epoch has ended. Raises ``StopTraining`` when the time is over."""
        from testbedctl.forecast.training.trainer import StopTraining

        told = f"epoch {epoch.number} of {self._epochs}: validation loss {epoch.validation_loss:.5f}"
        if self._bar and self._task is not None:
            self._bar.update(self._task, description=told, completed=epoch.number)
        else:
            err().print(f"{told}, learning {epoch.train_loss:.5f}, {epoch.seconds:.1f} s", soft_wrap=True)
        if self._ends is not None and time.monotonic() >= self._ends:
            self.out_of_time = True
            raise StopTraining


@contextmanager
def epoch_progress(epochs: int, max_minutes: float | None) -> Iterator[EpochProgress]:
    """The progress display of a training of so many epochs, which may take ``max_minutes``."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = err()
    if not console.is_terminal:
        yield EpochProgress(epochs, max_minutes, None)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(20), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as bar:
        yield EpochProgress(epochs, max_minutes, bar)
