"""A lab that is killed or interrupted at any instant: the next ``down`` leaves the host as it was."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import cli, started
from tests.system.snapshot import Snapshot, differences, snapshot

LAB = "lab-killed"
MOST_RECORDS = 100
SEED = 7


@pytest.fixture
def before(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Snapshot]:
    """The host before the test; a lab that a failed test left is taken down."""
    assert not state.exists()
    monkeypatch.setenv("TESTBEDCTL_LAB", LAB)
    yield snapshot()
    cli("down", "--all")


def assert_gone_after_down(before: Snapshot, when: str) -> None:
    """``down`` must leave nothing; where nothing of the lab was there, it says so with exit 2."""
    had_begun = any(state_files())
    down = cli("down")
    assert down.returncode == (0 if had_begun else 2), f"{when}: {down.stderr}"
    assert differences(before, snapshot()) == [], when


def state_files() -> list[Path]:
    return list(Path(os.environ["TESTBEDCTL_STATE"]).glob("*"))


def test_killed_after_every_journal_record_in_turn(
    before: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    survived = None
    for record in range(1, MOST_RECORDS):
        up = cli("up", TESTBEDCTL_TEST_KILL_AFTER_RECORD=str(record))
        if up.returncode == 0:
            survived = record
        else:
            assert up.returncode == -signal.SIGKILL, f"record {record}: {up.stderr}"
        assert_gone_after_down(before, f"killed after record {record}")
        if survived:
            break
    assert survived is not None and survived > 20, "a lab of 21 programs has more records than that"
    with capsys.disabled():
        print(f"\nkilled after each of {survived - 1} journal records, nothing left")


def test_a_killed_up_is_told_from_one_that_is_up(before: Snapshot) -> None:
    cli("up", TESTBEDCTL_TEST_KILL_AFTER_RECORD="8")
    again = cli("up")
    assert again.returncode == 2 and "was begun and not finished" in again.stderr
    assert f"testbedctl down --lab {LAB}" in again.stderr
    assert f"lab {LAB}: incomplete" in cli("status").stdout
    assert_gone_after_down(before, "killed after record 8")


def test_killed_at_random_instants(before: Snapshot) -> None:
    dice = random.Random(SEED)
    for instant in sorted(dice.uniform(0.1, 2.5) for _ in range(10)):
        up = started("up")
        time.sleep(instant)  # the instant is the subject of the test
        up.kill()
        up.communicate(timeout=10)
        assert_gone_after_down(before, f"killed after {instant:.2f} s")


@pytest.mark.parametrize("sign", ["a program has ended", "the namespaces are gone", "the sockets are gone"])
def test_killed_in_the_middle_of_down(before: Snapshot, sign: str) -> None:
    assert cli("up").returncode == 0
    prometheus = next(p["pid"] for p in json.loads(cli("status", "--json").stdout)["programs"])
    shown = {
        "a program has ended": lambda: not alive(prometheus),
        "the namespaces are gone": lambda: not list(Path("/run/netns").glob(f"tbc.{LAB}.*")),
        "the sockets are gone": lambda: not Path(f"/run/testbedctl/{LAB}").exists(),
    }[sign]
    down = started("down")
    while not shown() and down.poll() is None:
        pass  # the next instant is the subject of the test
    down.kill()
    down.communicate(timeout=10)
    assert_gone_after_down(before, f"down killed when {sign}")


def alive(pid: int) -> bool:
    """Whether a process runs, a zombie not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["namespaces and links", "switches", "telemetry"])
def test_interrupted_up_is_rolled_back(before: Snapshot, number: signal.Signals, phase: str) -> None:
    up = started("up")
    assert up.stderr is not None
    while phase not in up.stderr.readline():
        assert up.poll() is None, "it ended before that phase"
    asked = time.monotonic()
    up.send_signal(number)
    _, said = up.communicate(timeout=30)
    assert up.returncode == 130
    assert time.monotonic() - asked < 10, "it waited for what it had itself rolled back"
    assert "rolling back" in said and "Traceback" not in said
    assert differences(before, snapshot()) == []


def test_a_second_ctrl_c_does_not_stop_the_rollback(before: Snapshot) -> None:
    up = started("up")
    assert up.stderr is not None
    while "switches" not in up.stderr.readline():
        assert up.poll() is None, "it ended before that phase"
    up.send_signal(signal.SIGINT)
    while "rolling back" not in up.stderr.readline():
        assert up.poll() is None, "it ended without rolling back"
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=30)
    assert up.returncode == 130
    assert differences(before, snapshot()) == []
