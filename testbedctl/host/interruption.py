"""Ctrl-C and termination, held back for a moment where stopping half-way would leave something behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
