"""What the tests of ``stress`` share: small profiles, a run in the background, and who runs on a lab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system.conftest import CHECKOUT, cli, command

CALM = """
name: calm
background_mbps: 1
warm_up_s: 0
shape: {kind: hold, rate_mbps: 10, duration_s: SECONDS, step_s: 2}
"""


def calm_profile(directory: Path, seconds: int) -> Path:
    """A profile of 10 Mb/s, far below any overload."""
    path = directory / "calm.yaml"
    path.write_text(CALM.replace("SECONDS", str(seconds)))
    return path


class Background:
    """``testbedctl`` in the background."""

    def __init__(self, *arguments: str, **env: str):
        self.process = subprocess.Popen(
            command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), **env},
        )

    def end(self, timeout: float = 60) -> tuple[int, str, str]:
        """Wait for its end: exit code, standard output, standard error."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err


def until(check: Callable[[], Any], what: str, limit_s: float = 30) -> Any:
    """The first true value of ``check``."""
    deadline = time.monotonic() + limit_s
    while not (value := check()):
        assert time.monotonic() < deadline, f"{what} did not happen within {limit_s} s"
        time.sleep(0.05)
    return value


def status(lab: str) -> dict[str, Any]:
    """``status --json`` of a lab."""
    done = cli("status", "--lab", lab, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def program(lab: str, name: str) -> int:
    """The pid of a program of the lab."""
    return next(int(p["pid"]) for p in status(lab)["programs"] if p["name"] == name)


def cameras(lab: str, service: str) -> list[int]:
    """Pids of the clients that run on the camera node of a service now."""
    groups = Path("/sys/fs/cgroup/cpu/testbedctl") if Path("/sys/fs/cgroup/cpu").is_dir() else None
    root = groups or Path("/sys/fs/cgroup/testbedctl")
    file = root / lab / f"{service}.cameras" / "cgroup.procs"
    return [int(p) for p in file.read_text().split()]


def sinks(lab: str, vsre: str) -> list[int]:
    """Pids of the servers of cameras on a vSRE, without the one that is always there."""
    groups = Path("/sys/fs/cgroup/cpu/testbedctl")
    root = groups if groups.is_dir() else Path("/sys/fs/cgroup/testbedctl")
    file = root / lab / vsre.replace("/", ".") / "cgroup.procs"
    own = program(lab, f"sink {vsre}")
    return [int(p) for p in file.read_text().split() if int(p) != own]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still for the body, as if it hung."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def wait(for_s: float) -> None:
    """Let time pass; never a way to see whether something works."""
    deadline = time.monotonic() + for_s
    until(lambda: time.monotonic() > deadline, "the time")


def child_of(parent: int) -> int:
    """The only child of a process."""
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(child)


def manifest(runs: Path) -> dict[str, Any]:
    """The manifest of the only run in a directory."""
    (run,) = runs.iterdir()
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    return found
