"""Progress on stderr: a live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from testbedctl.cli.output import err


@contextmanager
def phases(title: str) -> Iterator[Callable[[str], None]]:
    """Show the phase that long work is in; the body calls what it gets with each phase's name."""
    console = err()
    if not console.is_terminal:
        yield lambda phase: console.print(f"{title}: {phase}", soft_wrap=True)
        return
    with console.status(title) as line:
        yield lambda phase: line.update(f"{title}: {phase}")
