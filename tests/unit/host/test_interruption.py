"""Ctrl-C waits where half-way is no place to stop."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from testbedctl.host.interruption import SIGNALS, deferred


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_takes_effect_after_the_body(number: signal.Signals) -> None:
    done = []
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), deferred() as asked:
        os.kill(os.getpid(), number)
        assert asked.wait(timeout=5)
        done.append("whole")
    assert done == ["whole"]
    assert signal.getsignal(number) is before


def test_without_a_signal_nothing_happens() -> None:
    with deferred() as asked:
        pass
    assert not asked.is_set()


def test_an_error_in_the_body_gives_way_to_the_interruption() -> None:
    with pytest.raises(KeyboardInterrupt), deferred():
        os.kill(os.getpid(), signal.SIGINT)
        raise ZeroDivisionError


def test_an_inner_body_interrupts_the_outer_one_only_at_its_end() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), deferred():
        try:
            with deferred():
                os.kill(os.getpid(), signal.SIGINT)
                done.append("inner")
        finally:
            done.append("outer")
    assert done == ["inner", "outer"]


def test_other_threads_are_left_alone() -> None:
    results = []

    def work() -> None:
        before = signal.getsignal(signal.SIGINT)
        with deferred() as asked:
            results.append((signal.getsignal(signal.SIGINT) is before, asked.is_set()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [(True, False)]
