"""Scaling: fitted on training parts alone."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from unit.forecast.usage import SHARED_DATA, changed, series

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.protocol.rmse import rmse
from testbedctl.forecast.protocol.scaling import Kind, Scaler
from testbedctl.forecast.protocol.split import split
from testbedctl.forecast.protocol.windows import windows
from testbedctl.forecast.series import Series

SMALL = Series("small", np.arange(3.0), np.array([[0, 5, 1, 2], [1, 5, 3, 2], [2, 5, 2, 4]], np.float32))
LARGE = Series("large", np.arange(2.0), np.array([[10, 7, 1, 2], [30, 9, 1, 3]], np.float32))


def test_per_vm_each_vm_fills_the_range_by_itself() -> None:
    scaler = Scaler.fit("per-vm", [SMALL, LARGE])
    assert scaler.scale(SMALL).values.tolist() == [[0, 0, 0, 0], [0.5, 0, 1, 0], [1, 0, 0.5, 1]]
    assert scaler.scale(LARGE).values.tolist() == [[0, 0, 0, 0], [1, 1, 0, 1]]


def test_global_all_vms_share_one_range() -> None:
    scaled = Scaler.fit("global", [SMALL, LARGE]).scale(LARGE).values
    assert scaled == pytest.approx(np.array([[1 / 3, 0.5, 0, 0], [1, 1, 0, 0.5]]), abs=1e-6)


def test_none_leaves_values_alone() -> None:
    scaler = Scaler.fit("none", [SMALL])
    assert scaler.scale(LARGE).values is LARGE.values
    assert np.array_equal(scaler.unscale("anything", LARGE.values), LARGE.values)


def test_what_leaves_the_range_of_training_reads_as_its_edge_and_a_constant_as_zero() -> None:
    scaler = Scaler.fit("per-vm", [SMALL])
    later = Series("small", np.arange(2.0), np.array([[-9, 99, 99, 2], [9, -9, 0, 9]], np.float32))
    assert scaler.scale(later).values.tolist() == [[0, 0, 1, 0], [1, 0, 0, 1]]


def test_scaling_changes_no_series_and_stays_float32() -> None:
    before = SMALL.values.copy()
    scaled = Scaler.fit("per-vm", [SMALL]).scale(SMALL).values
    assert scaled.dtype == np.float32
    assert np.array_equal(SMALL.values, before)


@pytest.mark.parametrize("kind", ["per-vm", "global", "none"])
def test_unscale_gives_the_units_back(kind: Kind) -> None:
    whole = series()
    scaler = Scaler.fit(kind, [whole])
    assert scaler.unscale("a", scaler.scale(whole).values) == pytest.approx(whole.values, rel=1e-5, abs=2)


@pytest.mark.parametrize("kind", ["per-vm", "global", "none"])
def test_a_model_file_holds_the_scaler(kind: Kind) -> None:
    scaler = Scaler.fit(kind, [series("a"), series("b")])
    again = Scaler.from_document(json.loads(json.dumps(scaler.as_document())))
    assert again.kind == kind
    assert np.array_equal(again.scale(series("b", 50)).values, scaler.scale(series("b", 50)).values)


def test_a_vm_without_limits_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no limits for VM 'large'"):
        Scaler.fit("per-vm", [SMALL]).scale(LARGE)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["per-vm", "global", "none"])
def test_a_value_that_is_no_number_is_refused_with_its_place(value: float, kind: Kind) -> None:
    with pytest.raises(InvalidFile, match=r"VM 'a': storage is (nan|inf) in row 8 \(2 such values\)"):
        Scaler.fit(kind, [series("b"), changed(series("a"), slice(7, 9), 2, value)])


def test_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="'robust'"):
        Scaler.fit("robust", [SMALL])  # type: ignore[arg-type]


def test_the_published_yardstick() -> None:
    """Persistence on Materna 01 has 0.0385 (data/README of the shared reference data)."""
    file = SHARED_DATA / "gwa-t-13-materna" / "01.csv"
    if not file.is_file():
        pytest.skip(f"the shared reference data are not here: {file.name} of GWA-T-13")
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name].replace(",", ".")) for row in rows])

    names = list(rows[0])
    cpu, memory, write, receive, transmit = (
        next(name for name in names if name.startswith(start))
        for start in ("CPU usage [MHZ", "Memory usage [KB", "Disk write", "Network rec", "Network trans")
    )
    values = np.column_stack([column(cpu), column(memory), column(write), column(receive) + column(transmit)])
    stamps = [datetime.strptime(row[names[0]], "%d.%m.%Y %H:%M:%S").replace(tzinfo=UTC) for row in rows]
    whole = Series("01", np.array([each.timestamp() for each in stamps]), values.astype(np.float32))
    before, after = split(whole, 0.8)
    past, future = windows(Scaler.fit("per-vm", [before]).scale(after), 1, 1, 300)
    assert rmse(past, future).mean() == pytest.approx(0.0385, abs=5e-5)
