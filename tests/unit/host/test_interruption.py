"""Ctrl-C waits where half-way is no place to stop."""

from __future__ import annotations

import os
import signal
import threading
import weakref
from collections.abc import Iterator

import pytest

from testbedctl.host.interruption import SIGNALS, check, deferred, listen


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


@pytest.fixture
def listening() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    listen()
    yield
    listen()  # forgets what was asked for
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("listening")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", SIGNALS)
def test_an_interruption_within_a_finaliser_is_not_lost(number: signal.Signals) -> None:
    """Python prints an exception that a finaliser raises, and goes on."""
    check()
    finaliser = weakref.finalize(Passing(), os.kill, os.getpid(), number)
    assert not finaliser.alive
    with pytest.raises(KeyboardInterrupt):
        check()


class Passing:
    """Something that can be referred to weakly; it is gone at once."""


@pytest.mark.usefixtures("listening")
def test_an_interruption_elsewhere_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("it went on")


def test_a_ctrl_c_that_is_ignored_stays_ignored() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        listen()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
