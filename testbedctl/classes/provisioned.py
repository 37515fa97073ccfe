"""What the VMs of a data set are provisioned with: one number of cores and one of memory for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbedctl.errors import InvalidFile, UsageError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.parquet as pq

KIB_PER_GIB = 1024 * 1024
BATCH_ROWS = 262_144
"""Rows that are read at a time: some MB."""
_COLUMNS = ("cpu_cores", "cpu_capacity_mhz", "memory_capacity_kb")


@dataclass(frozen=True)
class Provisioned:
    """``vcpus`` and ``ram_gib`` are float64[vm], in the order of ``vms``.

    ``from_mhz`` names the VMs whose cores follow from their MHz, ``without`` those that lack CPU or RAM.
    """

    dataset: str
    sha256: str
    vms: tuple[str, ...]
    vcpus: np.ndarray
    ram_gib: np.ndarray
    from_mhz: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def feature(self, name: str) -> np.ndarray:
        """The values of ``vcpus`` or ``ram_gib``."""
        values: np.ndarray = getattr(self, name)
        return values


def read_provisioned(dataset: str, sha256: str, samples: pq.ParquetFile) -> Provisioned:
    """Each VM's cores and memory in a data set, the largest over time: some VMs start with none.

    ``samples`` are those of the data set of this name, and have this hash. A VM without cores at any time
    gets them from its MHz, at the median MHz of a core of the others.
    Raises ``InvalidFile`` for samples that cannot be read, ``UsageError`` for some without these columns.
    """
    largest = _largest(dataset, samples)
    cores, mhz, kib = (_array([vm[column] for vm in largest.values()]) for column in _COLUMNS)
    vcpus = _with_cores_from_mhz(cores, mhz)
    known = (vcpus > 0) & (kib > 0)
    vms = tuple(largest)
    return Provisioned(
        dataset=dataset,
        sha256=sha256,
        vms=_named(vms, known),
        vcpus=vcpus[known],
        ram_gib=kib[known] / KIB_PER_GIB,
        from_mhz=_named(vms, known & (cores <= 0)),
        without=_named(vms, ~known),
    )


def _with_cores_from_mhz(cores: np.ndarray, mhz: np.ndarray) -> np.ndarray:
    import numpy as np

    clocked = (cores > 0) & (mhz > 0)
    if not clocked.any():
        return cores
    mhz_per_core = np.median(mhz[clocked] / cores[clocked])
    return np.where(cores > 0, cores, np.ceil(np.round(mhz / mhz_per_core, 2)))


def _largest(dataset: str, samples: pq.ParquetFile) -> Mapping[str, dict[str, float]]:
    """By VM, the largest value of each column; read in batches: a month of 500 VMs needs little memory."""
    import pyarrow as pa

    _require_columns(dataset, samples.schema_arrow.names)
    try:
        batches = samples.iter_batches(batch_size=BATCH_ROWS, columns=["vm", *_COLUMNS])
        parts = [_largest_of(pa.Table.from_batches([batch])) for batch in batches]
    except (OSError, pa.ArrowException) as error:
        raise InvalidFile(
            f"samples of {dataset} cannot be read: {error}", hint="import the data set again"
        ) from error
    rows = _largest_of(pa.concat_tables(parts)).to_pylist() if parts else []
    return {row["vm"]: {column: row[column] or 0.0 for column in _COLUMNS} for row in sorted(rows, key=_vm)}


def _require_columns(dataset: str, names: Sequence[str]) -> None:
    missing = [column for column in ("vm", *_COLUMNS) if column not in names]
    if missing:
        raise UsageError(
            f"{dataset} has no column {missing[0]}: classes need what VMs are provisioned with",
            hint="import a public trace (Bitbrains, Materna); telemetry of a run has only usage",
        )


def _vm(row: Mapping[str, Any]) -> str:
    return str(row["vm"])


def _largest_of(table: Any) -> Any:
    import pyarrow as pa

    plain = table.set_column(0, "vm", table["vm"].cast(pa.string()))
    grouped = plain.group_by("vm").aggregate([(column, "max") for column in _COLUMNS])
    return grouped.select(["vm", *(f"{column}_max" for column in _COLUMNS)]).rename_columns(["vm", *_COLUMNS])


def _array(values: list[float]) -> np.ndarray:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def _named(vms: tuple[str, ...], chosen: np.ndarray) -> tuple[str, ...]:
    return tuple(vm for vm, yes in zip(vms, chosen, strict=True) if yes)
