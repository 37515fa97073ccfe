"""Ctrl-C and termination, held back for a moment where stopping half-way would leave something behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_asked = threading.Event()


def listen() -> None:
    """From now on Ctrl-C and termination raise ``KeyboardInterrupt``, and are remembered for ``check``.

    A Ctrl-C that the process was told to ignore, as a shell's background jobs are, stays ignored.
    """
    _asked.clear()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def check() -> None:
    """Raise ``KeyboardInterrupt`` if one was asked for: whatever waits long looks here at each turn.

    One that is raised while Python runs a finaliser is printed there and ignored, so that nothing would end.
    """
    if _asked.is_set():
        raise KeyboardInterrupt


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt


@contextmanager
def deferred() -> Iterator[threading.Event]:
    """Ctrl-C and termination take effect after the body; within it they only set the event.

    Threads of the body are never interrupted half-way, nor is a program started but not journaled. Outside
    of the main thread nothing has to be done: Python interrupts no other.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if asked.is_set():
            raise KeyboardInterrupt
