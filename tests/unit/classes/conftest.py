"""Data sets of a few VMs with sizes that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from testbedctl.classes.provisioned import KIB_PER_GIB, Provisioned
from testbedctl.forecast.dataset.manifest import Facts
from testbedctl.forecast.dataset.writer import writing

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
    """Writes a data set, as ``dataset import`` does."""

    def write(rows: Rows) -> Path:
        folder = tmp_path / "dataset"
        count = sum(len(series) for series in rows.values())
        facts = Facts(name="made-up", source="", terms="", format="", clock="", step_s=300, rows_read=count)
        with writing(folder, "trace") as writer:
            for vm, series in rows.items():
                cores, mhz, gib = np.array(series, dtype=np.float64).T
                columns = {
                    "cpu_cores": cores,
                    "cpu_capacity_mhz": mhz,
                    "memory_capacity_kb": gib * KIB_PER_GIB,
                }
                writer.append(vm, 300 * np.arange(len(series), dtype=np.float64), columns, gaps=0)
            writer.finish(facts)
        return folder

    return write


@pytest.fixture
def cloud() -> list[tuple[float, float]]:
    """Sixty VMs of three sizes that nobody could take for other ones, each with some spread."""
    small = [(1 + n % 2, 1 + n % 4) for n in range(30)]
    middle = [(7 + n % 2, 15 + n % 2) for n in range(20)]
    large = [(14 + n % 2, 30 + n % 2) for n in range(10)]
    return [*small, *middle, *large]
