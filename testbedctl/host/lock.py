"""Locks that name their holder and die with it: one per lab, one host-wide for measuring."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbedctl.errors import Busy, RunFailed
from testbedctl.units import human_duration


@contextmanager
def held(path: Path, what: str, *, wait_s: float = 0) -> Iterator[None]:
    """Hold the lock file ``path`` for the body; ``what`` names the thing locked.

    Raises ``Busy`` naming holder, pid and age if it is not free within ``wait_s`` seconds.
    """
    handle = _acquire(path, what, wait_s)
    try:
        holder = {"pid": os.getpid(), "since": time.time(), "command": " ".join(sys.argv[1:3])}
        with contextlib.suppress(OSError):  # a full disk must not keep `down` from freeing it
            os.pwrite(handle, json.dumps(holder).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)  # while still held, so that nobody else's file is removed
        os.close(handle)


def _acquire(path: Path, what: str, wait_s: float) -> int:
    deadline = time.monotonic() + wait_s
    while True:
        handle = _open(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() >= deadline:
                raise Busy(
                    f"{what} is busy: {_holder(path)}", hint="wait with --wait S, or try again later"
                ) from None
            time.sleep(0.05)  # bounded by the deadline
            continue
        if _is_still(path, handle):
            os.ftruncate(handle, 0)
            return handle
        os.close(handle)  # its last holder removed the file between our open and our lock


def _open(path: Path) -> int:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # another lab's `down` has just removed the empty directory
            continue
        except OSError as error:
            raise RunFailed(f"cannot open the lock {path}: {error.strerror}") from error


def _is_still(path: Path, handle: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        age = human_duration(max(0.0, time.time() - holder["since"]))
        return f"held by 'testbedctl {holder['command']}' (pid {holder['pid']}) for {age}"
    except (OSError, ValueError, KeyError):
        return "its holder has just begun"
