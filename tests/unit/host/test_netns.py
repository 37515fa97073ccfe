"""Batches of networking commands tell which of them failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbedctl.errors import RunFailed
from testbedctl.host import netns


def test_nothing_to_do_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    netns.batch([])


def test_the_failed_command_is_named() -> None:
    lines = ["link show dev lo", "link show dev no-such-if", "link show dev lo"]
    with pytest.raises(netns.CommandFailed, match=r"'link show dev no-such-if' failed: .*no-such-if"):
        netns.batch(lines)


def test_forced_it_goes_on() -> None:
    netns.batch(["link show dev no-such-if", "link show dev lo"], force=True)


def test_a_missing_program_points_to_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RunFailed) as failed:
        netns.batch(["link show"])
    assert failed.value.hint == "run 'testbedctl doctor'"


def test_an_unknown_namespace_is_an_error_with_its_name() -> None:
    assert not netns.exists("tbc.none.such")
    with pytest.raises(RunFailed, match=r"no network namespace tbc\.none\.such"):
        netns.enter("tbc.none.such")


def test_processes_are_found_by_the_namespace_they_live_in() -> None:
    own = Path("/proc/self/ns/net").stat().st_ino
    assert os.getpid() in netns.pids({own})
    assert netns.pids(set()) == []
