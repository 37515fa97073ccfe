"""The journal: what a lab is about to create, written and synced before it is created.

A record is one JSON line ``{"seq", "kind", …}``. ``down`` replays the records backwards, so that
whatever was begun is found again after a crash, a reboot, or with the spec gone.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testbedctl.errors import RunFailed

Record = dict[str, Any]


def boot_id() -> str:
    """Which boot of this machine this is: what an earlier one had created is gone, but for files."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Journal:
    """Append-only record of one lab."""

    def __init__(self, path: Path):
        self.path = path
        self._writing = threading.Lock()
        self._seq = sum(1 for _ in self.records()) if path.exists() else 0

    def append(self, kind: str, **what: Any) -> None:
        """Write one record and sync it to the disk before returning. Threads may share a journal."""
        with self._writing:
            self._append(kind, what)

    def _append(self, kind: str, what: dict[str, Any]) -> None:
        self._seq += 1
        line = json.dumps({"seq": self._seq, "kind": kind, **what}, sort_keys=False) + "\n"
        try:
            new = not self.path.exists()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            if new:
                _sync_directory(self.path.parent)
        except OSError as error:
            raise RunFailed(
                f"cannot write the journal {self.path}: {error.strerror}", hint="free space, then run 'down'"
            ) from error
        _crash_for_test(self._seq)

    def records(self) -> Iterator[Record]:
        """All whole records in order. A last line torn by a crash was never acted upon: it is left out."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    return
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise RunFailed(
                        f"the journal {self.path} is damaged: {error}", hint="remove what is left by hand"
                    ) from error

    def find(self, kind: str) -> Iterator[Record]:
        """Records of one kind, in order."""
        return (r for r in self.records() if r["kind"] == kind)

    def has(self, kind: str) -> bool:
        """Whether a record of this kind was written."""
        return self.path.exists() and any(True for _ in self.find(kind))


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _crash_for_test(seq: int) -> None:
    """Let the crash test kill this process right after the n-th record, where it hurts most."""
    if os.environ.get("TESTBEDCTL_TEST_KILL_AFTER_RECORD") == str(seq):
        os.kill(os.getpid(), 9)
