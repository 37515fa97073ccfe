"""Data sets on the disk: a directory with ``manifest.json`` and ``samples.parquet``."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.dataset.arrays import numbers
from testbedctl.forecast.dataset.faults import FaultLog
from testbedctl.forecast.dataset.features import COLUMNS, PARTS
from testbedctl.forecast.dataset.grid import GAP_STEPS, SHORT, check_steps, median_step
from testbedctl.forecast.dataset.manifest import SCHEMA, Facts, Manifest, fault_records
from testbedctl.forecast.dataset.writer import MANIFEST, SAMPLES, writing
from testbedctl.forecast.series import Dataset, Series
from testbedctl.ports import RESOURCES
from testbedctl.records.files import parse_json, parse_record, read_text

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_dataset(path: Path, vms: Collection[str] | None = None) -> Dataset:
    """The data set in ``path``, or the named VMs of it; a row without one of the four resources is a gap.

    Raises UsageError if ``path`` is no data set or has no such VM, InvalidFile if it is damaged, or was
    written by a version with another format.
    """
    manifest, samples = opened_samples(path)
    wanted = set(manifest.vms if vms is None else vms)
    if unknown := sorted(wanted - manifest.vms.keys()):
        raise UsageError(
            f"{path} has no VM {', '.join(unknown[:5])}",
            hint=f"it has {len(manifest.vms)}: {', '.join(list(manifest.vms)[:5])} …",
        )
    with _damage_told(path / SAMPLES):
        series = tuple(each for each in _series(samples, manifest) if each.vm in wanted)
    return Dataset(
        name=manifest.name,
        step_s=manifest.step_s,
        units=manifest.units,
        features=manifest.features,
        sha256=manifest.sha256,
        series=series,
    )


def save_dataset(
    path: Path,
    series: Sequence[Series],
    *,
    name: str,
    source: str,
    terms: str = "",
    faults: FaultLog | None = None,
    rows_read: int | None = None,
    replace: bool = False,
) -> Manifest:
    """Write telemetry (ratios of an allotment, as ``Series`` of a data set with the units ``allotment``).

    The step is the median difference in time. Raises InvalidFile if no VM has two rows and for a mixture of
    steps, ValueError for series that are not as ``Series`` promises, and as ``writing`` for a taken place.
    """
    _check(series)
    step_s = median_step([each.unix_s for each in series], source)
    check_steps(
        {s.vm: float(np.median(np.diff(s.unix_s))) if len(s.unix_s) >= SHORT else None for s in series},
        step_s,
    )
    with writing(path, "allotment", replace=replace) as writer:
        for each in series:
            gaps = int((np.diff(each.unix_s) > GAP_STEPS * step_s).sum())
            columns = dict(zip(COLUMNS["allotment"], each.values.T, strict=True))
            writer.append(each.vm, each.unix_s, columns, gaps=gaps)
        return writer.finish(
            Facts(
                name=name,
                source=source,
                terms=terms,
                format="telemetry",
                clock="Unix seconds, UTC",
                step_s=step_s,
                rows_read=sum(len(each.unix_s) for each in series) if rows_read is None else rows_read,
                faults=fault_records(faults or FaultLog()),
            )
        )


def read_manifest(path: Path) -> Manifest:
    """The manifest of the data set in ``path``. Raises as ``open_dataset``."""
    file = path / MANIFEST
    try:
        there = file.is_file()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    if not there:
        raise UsageError(
            f"{path} is not a data set: it has no {MANIFEST}",
            hint="`testbedctl dataset import` and `dataset collect` make one",
        )
    document = parse_json(read_text(file), file)
    found = document.get("schema") if isinstance(document, dict) else None
    if found != SCHEMA:
        raise InvalidFile(
            f"{file} has the format {found!r}, this version reads {SCHEMA!r}",
            hint="use the version of testbedctl that wrote it",
        )
    return parse_record(Manifest, document, file)


def opened_samples(path: Path) -> tuple[Manifest, pq.ParquetFile]:
    """The manifest of a data set, and its samples, which are what the manifest says by their hash.

    Raises as ``open_dataset``.
    """
    file, manifest = path / SAMPLES, read_manifest(path)
    with _damage_told(file):
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != manifest.sha256:
            raise InvalidFile(
                f"{file} is not what its manifest says: it is damaged, truncated or of another data set",
                hint="make the data set again",
            )
        return manifest, pq.ParquetFile(file, read_dictionary=["vm"])


def column_sum(samples: pq.ParquetFile, columns: Sequence[str]) -> NDArray[np.float64]:
    """The sum of columns row by row, float64; NaN where one of them is null."""
    total = numbers(samples.read([columns[0]]).column(0))
    for name in columns[1:]:
        total = total + numbers(samples.read([name]).column(0))
    return total


@contextmanager
def _damage_told(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise InvalidFile(f"{file} cannot be read: {error}", hint="make the data set again") from error


def _check(series: Sequence[Series]) -> None:
    if len({each.vm for each in series}) < len(series):
        raise ValueError("two series have one name")
    for each in series:
        if not (np.isfinite(each.values).all() and (np.diff(each.unix_s) > 0).all()):
            raise ValueError(f"{each.vm}: values must be finite and times must increase")


def _series(samples: pq.ParquetFile, manifest: Manifest) -> Iterator[Series]:
    """Read column by column, so that no more than one is held beside the result."""
    unix_s = column_sum(samples, ["unix_s"])
    values = np.empty((len(unix_s), len(RESOURCES)), np.float32)
    for index, resource in enumerate(RESOURCES):
        values[:, index] = column_sum(samples, PARTS[manifest.units][resource])
    first, encoded = 0, samples.read(["vm"]).column(0).unify_dictionaries().combine_chunks()
    known, codes = encoded.dictionary.to_pylist(), np.from_dlpack(encoded.indices)
    for vm, record in manifest.vms.items():
        part = slice(first, first + record.rows)
        first = part.stop
        if {known[code] for code in np.unique(codes[part])} != {vm}:
            raise InvalidFile(f"{MANIFEST} and {SAMPLES} do not agree on the rows of {vm}")
        there = np.isfinite(values[part]).all(axis=1)
        whole = bool(there.all())
        yield Series(
            vm,
            unix_s[part] if whole else unix_s[part][there],
            values[part] if whole else values[part][there],
        )
