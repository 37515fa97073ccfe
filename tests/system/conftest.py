"""System tests: real namespaces, switches and programs. They need root and leave the host as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.snapshot import differences, snapshot

CHECKOUT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root nothing here can run."""
    if os.geteuid() == 0:
        return
    for item in items:
        if "system" in Path(str(item.fspath)).parts:
            item.add_marker(pytest.mark.skip(reason="needs root: namespaces and control groups"))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory and a runs directory of the test's own."""
    monkeypatch.setenv("TESTBEDCTL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TESTBEDCTL_RUNS", str(tmp_path / "runs"))
    return tmp_path / "state"


@pytest.fixture
def untouched(state: Path) -> Iterator[None]:
    """After the test the host must look as before it; whatever a failed test left is taken down first."""
    before = snapshot()
    assert not state.exists()
    yield
    leftovers = cli("down", "--all")
    assert leftovers.returncode == 0, leftovers.stderr
    assert differences(before, snapshot()) == []


def command(*arguments: str) -> list[str]:
    """The argument vector of ``testbedctl`` as this test's interpreter runs it."""
    return [sys.executable, "-m", "testbedctl", *arguments]


def cli(*arguments: str, timeout: float = 300, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, and return what it said."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=environment(**env),
    )


def started(*arguments: str, **env: str) -> subprocess.Popen[str]:
    """Start the command in a process group of its own, and return while it runs."""
    return subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**env),
        start_new_session=True,
    )


def environment(**env: str) -> dict[str, str]:
    """The environment in which the command of this checkout runs; colours and wrapping off."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "200", "NO_COLOR": "1", **env}
