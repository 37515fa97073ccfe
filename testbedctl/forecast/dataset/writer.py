"""Writing a data set: VM after VM into a directory that takes its name only when it is whole."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from testbedctl import __version__
from testbedctl.errors import RunFailed, UsageError
from testbedctl.forecast.dataset.features import COLUMNS, feature_names
from testbedctl.forecast.dataset.manifest import Facts, Manifest, VmRecord
from testbedctl.forecast.series import Units
from testbedctl.records.files import json_text, sync_directory

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANIFEST, SAMPLES = "manifest.json", "samples.parquet"
GROUP_ROWS = 200_000
"""Rows of a row group: what is held in memory before it is written."""


class DatasetWriter:
    """Takes the samples of a data set; made by ``writing``."""

    def __init__(self, directory: Path, units: Units, path: Path):
        """``directory`` is where it is written, ``path`` the name that errors give it."""
        self.vms: dict[str, VmRecord] = {}
        self._directory, self._units, self._path = directory, units, path
        self._spans: dict[str, tuple[float, float]] = {}
        self._waiting: list[pa.Table] = []
        numbers = [(name, pa.float64()) for name in COLUMNS[units]]
        self._schema = pa.schema([("vm", pa.string()), ("unix_s", pa.float64()), *numbers])
        self._parquet = self._opened()

    def append(
        self, vm: str, unix_s: NDArray[np.float64], columns: Mapping[str, NDArray[Any]], gaps: int
    ) -> None:
        """Add rows of ``vm`` in order of time; a column that is left out, and NaN, become null. ``gaps`` are
        those among these rows and to the one before. All rows of a VM must come before those of the next."""
        rows = len(unix_s)
        if not rows:
            return
        known = self.vms.get(vm, VmRecord.model_construct(rows=0, gaps=0))
        self.vms[vm] = VmRecord(rows=known.rows + rows, gaps=known.gaps + gaps)
        first_s, last_s = self._spans.get(vm, (math.inf, -math.inf))
        self._spans[vm] = (min(first_s, float(unix_s[0])), max(last_s, float(unix_s[-1])))
        arrays = [pa.array([vm]).take(pa.array(np.zeros(rows, np.int32))), pa.array(unix_s)]
        for name in COLUMNS[self._units]:
            values = columns.get(name)
            arrays.append(
                pa.nulls(rows, pa.float64())
                if values is None
                else pa.array(values.astype(np.float64, copy=False), from_pandas=True)
            )
        self._add(pa.Table.from_arrays(arrays, schema=self._schema))

    def leave_out(self, vms: Collection[str]) -> None:
        """Take back all rows of some VMs: what was written is written again without them."""
        self._flush()
        with _told(self._path):
            self._parquet.close()
            whole = (self._directory / SAMPLES).rename(self._directory / "whole.parquet")
            self._parquet = self._opened()
            with pq.ParquetFile(whole) as samples:
                for number in range(samples.num_row_groups):
                    table = samples.read_row_group(number)
                    self._add(
                        table.filter(pc.invert(pc.is_in(table["vm"], pa.array(list(vms), pa.string()))))
                    )
            whole.unlink()
        for vm in vms:
            self.vms.pop(vm, None)
            self._spans.pop(vm, None)

    def finish(self, facts: Facts) -> Manifest:
        """Write the manifest. Raises UsageError if nothing was added."""
        if not self.vms:
            raise UsageError(f"{facts.source} has no row that can be used")
        self._flush()
        with _told(self._path):
            self._parquet.close()
            manifest = self._manifest(facts)
            text = json_text(manifest.model_dump(mode="json", by_alias=True), indent=2)
            (self._directory / MANIFEST).write_text(text + "\n", encoding="utf-8")
            for name in (MANIFEST, SAMPLES):
                with (self._directory / name).open("rb") as stream:
                    os.fsync(stream.fileno())
        return manifest

    def close(self) -> None:
        """Let go of what ``finish`` was not called for."""
        # what goes wrong here does so after the error that matters
        with suppress(OSError, pa.ArrowException):
            self._parquet.close()

    def _opened(self) -> pq.ParquetWriter:
        return pq.ParquetWriter(
            self._directory / SAMPLES,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=["vm"],
        )

    def _add(self, table: pa.Table) -> None:
        self._waiting.append(table)
        if sum(each.num_rows for each in self._waiting) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting).combine_chunks()
            with _told(self._path):
                self._parquet.write_table(table, row_group_size=len(table))
            self._waiting = []

    def _manifest(self, facts: Facts) -> Manifest:
        with (self._directory / SAMPLES).open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return Manifest(
            **dict(facts),
            units=self._units,
            features=feature_names(self._units),
            columns=self._schema.names,
            rows=sum(vm.rows for vm in self.vms.values()),
            vms=self.vms,
            gaps=sum(vm.gaps for vm in self.vms.values()),
            span=(min(s[0] for s in self._spans.values()), max(s[1] for s in self._spans.values())),
            sha256=sha256,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            tool=f"testbedctl {__version__}",
        )


@contextmanager
def writing(path: Path, units: Units, *, replace: bool = False) -> Iterator[DatasetWriter]:
    """A data set that is written beside ``path`` and moved there when the body has ended.

    Whatever ends the body early, Ctrl-C and a full disk too, leaves nothing behind, and what stood at
    ``path`` as it was. Raises UsageError if ``path`` exists, unless ``replace`` is given and it is a data
    set; RunFailed if it cannot be written.
    """
    _check_place(path, replace=replace)
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    with beside as name:
        directory = Path(name) / "new"
        with _told(path):
            directory.mkdir()
            writer = DatasetWriter(directory, units, path)
        try:
            yield writer
        finally:
            writer.close()
        _check_place(path, replace=replace)
        with _told(path):
            _move(directory, path, Path(name).with_suffix(".old"))


def is_dataset(path: Path) -> bool:
    """Whether a directory was written by this module, damaged or not."""
    file = path / MANIFEST
    return file.is_file() and '"testbedctl.dataset/' in file.read_text(encoding="utf-8", errors="replace")


def _check_place(path: Path, *, replace: bool) -> None:
    if (shown := str(path).encode(errors="backslashreplace").decode()) != str(path):
        raise UsageError(f"{shown} is not UTF-8", hint="give another directory with --output")
    try:
        taken, ours = path.is_symlink() or path.exists(), not path.is_symlink() and is_dataset(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be a data set: {_reason(error)}",
            hint="give another directory with --output",
        ) from error
    if not taken:
        return
    if not ours:
        raise UsageError(f"{path} exists and is not a data set", hint="give another directory with --output")
    if not replace:
        raise UsageError(
            f"{path} is a data set already",
            hint="give --force to replace it, or another directory with --output",
        )


def _move(new: Path, path: Path, aside: Path) -> None:
    """The old data set steps aside, to where no clean-up deletes it, and goes when the new one is there."""
    try:
        if path.exists():
            path.rename(aside)
        new.rename(path)
        sync_directory(path.parent)
    finally:
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)
        elif aside.exists():
            _move_back(aside, path)


def _move_back(aside: Path, path: Path) -> None:
    try:
        aside.rename(path)
    except OSError as error:
        raise RunFailed(
            f"cannot write the data set {path}: {_reason(error)}",
            hint=f"the data set that stood there is whole: move it back from {aside}",
        ) from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A full disk, or one that may not be written, as an error that names the data set."""
    hint = "free some space, or give another directory with --output; what was there is as it was"
    try:
        yield
    except OSError as error:
        raise RunFailed(f"cannot write the data set {path}: {_reason(error)}", hint=hint) from error


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
