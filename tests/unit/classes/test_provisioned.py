"""Cores and memory of the VMs of a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from unit.classes.conftest import Rows

from testbedctl.classes import provisioned
from testbedctl.classes.provisioned import Provisioned, read_provisioned
from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.dataset.store import opened_samples, save_dataset
from testbedctl.forecast.series import Series

Write = Callable[[Rows], Path]


def read(folder: Path) -> Provisioned:
    """What ``classify fit`` reads."""
    manifest, samples = opened_samples(folder)
    return read_provisioned(manifest.name, manifest.sha256, samples)


def test_a_vm_has_what_it_has_at_most(dataset: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven of the 500 Bitbrains VMs begin with 0 cores. The largest may be in any batch."""
    monkeypatch.setattr(provisioned, "BATCH_ROWS", 2)
    found = read(dataset({"a": [(0, 0, 0), (2, 5200, 4), (2, 5200, 3), (0, 0, 0)], "b": [(4, 10400, 8)] * 5}))
    assert found.vms == ("a", "b")
    assert found.vcpus.tolist() == [2, 4]
    assert found.ram_gib.tolist() == [4, 8]
    assert (found.from_mhz, found.without) == ((), ())


def test_cores_that_are_never_there_follow_from_the_mhz_of_the_others(dataset: Write) -> None:
    found = read(
        dataset({"a": [(2, 5200, 4)], "b": [(0, 7800, 4)], "c": [(4, 10400, 4)], "d": [(0, 2606, 4)]})
    )
    assert found.vcpus.tolist() == [2, 3, 4, 1]
    assert found.from_mhz == ("b", "d")


def test_a_vm_without_cpu_or_ram_is_named_and_left_out(dataset: Write) -> None:
    found = read(dataset({"a": [(2, 5200, 4)], "b": [(0, 0, 4)], "c": [(4, 10400, 0)]}))
    assert found.vms == ("a",)
    assert found.without == ("b", "c")


def test_telemetry_of_a_run_has_nothing_to_classify(tmp_path: Path) -> None:
    usage = Series("a", np.array([0.0, 5.0]), np.full((2, 4), 0.5, np.float32))
    save_dataset(tmp_path / "run", [usage], name="run", source="a run")
    with pytest.raises(UsageError, match="no column cpu_cores") as caught:
        read(tmp_path / "run")
    assert not isinstance(caught.value, InvalidFile)
