"""A store of models: versions in directories of their own, and links to the current and the previous one."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.host.lock import held
from testbedctl.records.files import cannot_write, sync_directory

CURRENT, PREVIOUS = "current", "previous"
MODEL_FILE, DATASET, RECORD = "model.onnx", "dataset", "retraining.json"
_PARTIAL = ".partial"
_OURS = re.compile(r"\d{8}T\d{6}Z(-\d+)?(\.partial)?|current|previous|\.lock|\.(current|previous)\.new")


class ModelStore:
    """Each version is a directory named by its time (UTC) with the model's own files, ``model.onnx`` for the
    run time, and, if it was retrained, ``retraining.json`` and the data set that it learned from."""

    def __init__(self, root: Path):
        self.root = root

    @property
    def current(self) -> Path | None:
        """The directory of the version that is in force, None for a store that is empty or not there.

        Raises ``InvalidFile`` for a link to nothing, ``UsageError`` for a place that holds something else.
        """
        link = self.root / CURRENT
        if not link.is_symlink():
            self._check_ours()
            return None
        version = self.root / link.readlink()
        if not version.is_dir():
            raise InvalidFile(
                f"{link} leads to {version}, which is not there",
                hint=f"let it lead to a version in {self.root}",
            )
        return version

    @contextmanager
    def locked(self, wait_s: float = 0) -> Iterator[None]:
        """Hold the store for the body, without what an earlier holder left unfinished.

        Raises ``Busy`` if it is not free within ``wait_s`` seconds.
        """
        self._check_ours()
        try:
            with held(self.root / ".lock", f"the store of models {self.root}", wait_s=wait_s):
                for unfinished in self.root.glob(f"*{_PARTIAL}"):
                    shutil.rmtree(unfinished)
                yield
        finally:
            with contextlib.suppress(OSError):  # a store without a version in it is no store
                self.root.rmdir()

    @contextmanager
    def version(self) -> Iterator[Path]:
        """A directory to be filled by the body; a version when that ends well, and gone when it does not."""
        partial = self._free_name()
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise cannot_write(partial, error) from error
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial)
            raise
        sync_directory(partial)
        partial.rename(partial.with_suffix(""))
        sync_directory(self.root)

    def promote(self, version: str) -> None:
        """Make a version the current one and the one before it the previous one.

        Each link changes in one step, the previous one first: whatever happens in between, ``current`` leads
        to a whole version.
        """
        before = self.current
        if before is not None:
            self._link(PREVIOUS, before.name)
        self._link(CURRENT, version)

    def _check_ours(self) -> None:
        """Raises ``UsageError`` for a place that holds what no store has: nothing of it is touched."""
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"{self.root} is not a directory", hint="give another --output")
        entries = sorted(entry.name for entry in self.root.iterdir()) if self.root.exists() else []
        if foreign := [name for name in entries if not _OURS.fullmatch(name)]:
            raise UsageError(
                f"{self.root} is not a store of models: it holds {', '.join(foreign[:3])}",
                hint="give a directory of its own with --output",
            )

    def _link(self, name: str, version: str) -> None:
        temporary = self.root / f".{name}.new"
        try:
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(version)
            temporary.replace(self.root / name)
            sync_directory(self.root)
        except OSError as error:
            raise cannot_write(self.root / name, error) from error

    def _free_name(self) -> Path:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        names = [stamp, *(f"{stamp}-{number}" for number in range(2, 100))]
        free = next(name for name in names if not (self.root / name).exists())
        return self.root / (free + _PARTIAL)
