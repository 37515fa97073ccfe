"""Locks name their holder, die with it, and wait no longer than asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from testbedctl.errors import Busy, RunFailed
from testbedctl.host.lock import held

HOLD = """
import sys, pathlib
from testbedctl.host.lock import held
with held(pathlib.Path(sys.argv[1]), "the lab x"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lab.lock"


def holder(lock: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_busy_lock_names_its_holder(lock: Path) -> None:
    with holder(lock) as other, pytest.raises(Busy) as refused, held(lock, "the lab x"):
        pass
    assert str(other.pid) in refused.value.message
    assert refused.value.exit_code == 4


def test_waiting_gets_the_lock_when_its_holder_is_killed(lock: Path) -> None:
    with holder(lock) as other:
        other.kill()
        with held(lock, "the lab x", wait_s=5):
            assert lock.exists()


def test_a_released_lock_leaves_no_file(lock: Path) -> None:
    with held(lock, "the lab x"):
        pass
    assert not lock.exists()
    with held(lock, "the lab x"):
        pass


def test_an_error_inside_releases_it(lock: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(lock, "the lab x"):
        raise ZeroDivisionError
    with held(lock, "the lab x"):
        pass


def test_a_missing_directory_is_made_and_a_forbidden_one_is_told(tmp_path: Path) -> None:
    with held(tmp_path / "new/lab.lock", "the lab x"):
        assert (tmp_path / "new").is_dir()
    (tmp_path / "file").touch()
    with (
        pytest.raises(RunFailed, match="cannot open the lock"),
        held(tmp_path / "file/lab.lock", "the lab x"),
    ):
        pass


def test_a_full_disk_does_not_keep_anybody_from_the_lock(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with held(lock, "the lab x"):
        assert lock.read_bytes() == b""
    assert not lock.exists()
