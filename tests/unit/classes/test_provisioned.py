"""Cores and memory of the VMs of a data set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unit.classes.conftest import Rows

from testbedctl.classes import provisioned
from testbedctl.classes.provisioned import read_provisioned
from testbedctl.errors import InvalidFile, UsageError

Write = Callable[[Rows], Path]


def test_a_vm_has_what_it_has_at_most(dataset: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven of the 500 Bitbrains VMs begin with 0 cores. The largest may be in any batch."""
    monkeypatch.setattr(provisioned, "BATCH_ROWS", 2)
    found = read_provisioned(
        dataset({"a": [(0, 0, 0), (2, 5200, 4), (2, 5200, 3), (0, 0, 0)], "b": [(4, 10400, 8)] * 5})
    )
    assert found.vms == ("a", "b")
    assert found.vcpus.tolist() == [2, 4]
    assert found.ram_gib.tolist() == [4, 8]
    assert (found.from_mhz, found.without) == ((), ())


def test_cores_that_are_never_there_follow_from_the_mhz_of_the_others(dataset: Write) -> None:
    found = read_provisioned(
        dataset({"a": [(2, 5200, 4)], "b": [(0, 7800, 4)], "c": [(4, 10400, 4)], "d": [(0, 2606, 4)]})
    )
    assert found.vcpus.tolist() == [2, 3, 4, 1]
    assert found.from_mhz == ("b", "d")


def test_a_vm_without_cpu_or_ram_is_named_and_left_out(dataset: Write) -> None:
    found = read_provisioned(dataset({"a": [(2, 5200, 4)], "b": [(0, 0, 4)], "c": [(4, 10400, 0)]}))
    assert found.vms == ("a",)
    assert found.without == ("b", "c")


def test_telemetry_of_a_run_has_nothing_to_classify(tmp_path: Path) -> None:
    pq.write_table(pa.table({"vm": ["a"], "unix_s": [0.0], "cpu_ratio": [0.5]}), tmp_path / "samples.parquet")
    manifest = {"schema": "testbedctl.dataset/1", "name": "run", "sha256": "0"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="no column cpu_cores") as caught:
        read_provisioned(tmp_path)
    assert not isinstance(caught.value, InvalidFile)


@pytest.mark.parametrize(
    "manifest", ["{", "[]", '{"schema": "other/1"}', '{"schema": "testbedctl.dataset/1"}']
)
def test_what_is_no_data_set_is_refused(manifest: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="no data set"):
        read_provisioned(tmp_path)
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InvalidFile):
        read_provisioned(tmp_path)


def test_damaged_samples_are_refused(dataset: Write) -> None:
    folder = dataset({"a": [(2, 5200, 4)] * 9})
    whole = (folder / "samples.parquet").read_bytes()
    (folder / "samples.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_provisioned(folder)
    (folder / "samples.parquet").unlink()
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_provisioned(folder)
