"""Runs the command as a user would, timed from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
LAB = "benchmark"


def run(*arguments: str) -> tuple[float, str]:
    """Wall seconds and standard output of ``testbedctl ARGUMENTS``; raises on failure."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "testbedctl", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    seconds = time.monotonic() - begun
    if done.returncode:
        raise RuntimeError(
            f"testbedctl {' '.join(arguments)} exited {done.returncode}: {done.stderr[-2000:]}"
        )
    return seconds, done.stdout


@contextmanager
def lab(spec: str | Path = "slice-sharing") -> Iterator[None]:
    """A lab that is up for the body."""
    run("up", str(spec), "--lab", LAB)
    try:
        yield
    finally:
        run("down", "--lab", LAB)


@contextmanager
def own_state() -> Iterator[Path]:
    """State and runs in a temporary directory, which is given."""
    with tempfile.TemporaryDirectory(prefix="testbedctl-benchmark-") as name:
        os.environ["TESTBEDCTL_STATE"] = f"{name}/state"
        os.environ["TESTBEDCTL_RUNS"] = f"{name}/runs"
        yield Path(name)


def stress(profile: str | Path, *arguments: str) -> dict[str, Any]:
    """Run a profile on the lab and return the report's document."""
    run("stress", str(profile), "--lab", LAB, *arguments)
    document: dict[str, Any] = json.loads(run("report", "--json")[1])
    return document
