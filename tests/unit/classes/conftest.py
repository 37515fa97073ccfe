"""Data sets of a few VMs with sizes that a test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from testbedctl.classes.provisioned import KIB_PER_GIB, Provisioned

Sizes = Sequence[tuple[float, float]]
"""Cores and GiB of each VM."""


def provisioned(sizes: Sizes, name: str = "made-up") -> Provisioned:
    """VMs ``vm0``, ``vm1`` … of these sizes."""
    vcpus, ram_gib = (np.array([size[axis] for size in sizes], dtype=np.float64) for axis in (0, 1))
    return Provisioned(name, "0" * 64, tuple(f"vm{n}" for n in range(len(sizes))), vcpus, ram_gib)


Rows = Mapping[str, Sequence[tuple[float, float, float]]]
"""By VM, what it has over time: cores, MHz, GiB."""


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[[Rows], Path]:
    """Writes a data set in the format ``testbedctl.dataset/1``, in row groups of three rows."""

    def write(rows: Rows) -> Path:
        folder = tmp_path / "dataset"
        folder.mkdir(exist_ok=True)
        flat = [(vm, 300.0 * n, *values) for vm, series in rows.items() for n, values in enumerate(series)]
        names = ("vm", "unix_s", "cpu_cores", "cpu_capacity_mhz", "memory_capacity_kb")
        columns = dict(zip(names, map(list, zip(*flat, strict=True)), strict=True))
        columns["memory_capacity_kb"] = [gib * KIB_PER_GIB for gib in columns["memory_capacity_kb"]]
        pq.write_table(pa.table(columns), folder / "samples.parquet", row_group_size=3)
        manifest = {"schema": "testbedctl.dataset/1", "name": "made-up", "sha256": "0" * 64}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return write


@pytest.fixture
def cloud() -> list[tuple[float, float]]:
    """Sixty VMs of three sizes that nobody could take for other ones, each with some spread."""
    small = [(1 + n % 2, 1 + n % 4) for n in range(30)]
    middle = [(7 + n % 2, 15 + n % 2) for n in range(20)]
    large = [(14 + n % 2, 30 + n % 2) for n in range(10)]
    return [*small, *middle, *large]
