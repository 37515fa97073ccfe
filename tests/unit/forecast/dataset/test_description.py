"""What ``describe`` says of a data set is what is in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from unit.forecast.dataset.traces import Row, gwa_12, gwa_13_quoted, imported, rows, write

from testbedctl.errors import Inconclusive, RunFailed, UsageError
from testbedctl.forecast.dataset import description
from testbedctl.forecast.dataset.description import Description, describe, strength
from testbedctl.forecast.dataset.figure import write_figure
from testbedctl.forecast.dataset.moments import Moments
from testbedctl.forecast.dataset.sheet import document, findings
from testbedctl.forecast.dataset.store import open_dataset, save_dataset
from testbedctl.forecast.series import Series

CPU, RAM, WRITE, RECEIVE, TRANSMIT = 3, 6, 9, 11, 12
"""Fields of GWA-T-13."""


def vm(path: Path, level: float, slope: float, count: int = 200) -> Path:
    """A VM whose network goes up with its CPU by ``slope``, about ``level`` in both."""
    draw = np.random.default_rng(int(level))
    wanted = []
    for number in range(count):
        x = 1.5 * draw.normal()
        fields = {
            CPU: 100 * level + x,
            RECEIVE: 100 * level + slope * x + 10,
            TRANSMIT: 0.0,
            WRITE: draw.random(),
        }
        wanted.append(
            Row(number, fields={at: f"{value:.6f}".replace(".", ",") for at, value in fields.items()})
        )
    return write(path, gwa_13_quoted(wanted))


@pytest.fixture
def described(tmp_path: Path) -> Description:
    """Within each VM the network falls with the CPU; over all VMs it rises with it."""
    for level in (1, 2, 3):
        vm(tmp_path / "in" / f"{level}.csv", level, slope=-1.0)
    imported(tmp_path / "in", tmp_path / "set")
    return describe(tmp_path / "set")


def cell(matrix: np.ndarray, found: Description, one: str, other: str) -> float:
    names = list(found.spreads)
    return float(matrix[names.index(one), names.index(other)])


def test_moments_of_parts_are_those_of_the_whole() -> None:
    values = np.random.default_rng(0).normal(1e9, [1e-2, 1, 1e5], (1000, 3))
    values[:, 2] += 1e5 * (values[:, 1] - 1e9)
    joined = Moments.of(values[:1]) + Moments.of(values[1:400]) + Moments.of(values[400:])
    np.testing.assert_allclose(joined.correlation(), np.corrcoef(values, rowvar=False), atol=1e-6)


def test_a_constant_goes_with_nothing() -> None:
    values = np.stack([np.full(300, 0.1), np.arange(300.0)], axis=1)
    joined = Moments.of(values[:100]) + Moments.of(values[100:])
    assert np.isnan(joined.correlation()[0]).all()
    assert joined.correlation()[1, 1] == 1


def test_pooled_and_within_are_told_apart(described: Description) -> None:
    assert cell(described.pooled, described, "cpu_usage_mhz", "network_kbps") == pytest.approx(1, abs=0.01)
    assert cell(described.within, described, "cpu_usage_mhz", "network_kbps") == pytest.approx(-1, abs=0.01)


def test_batches_make_no_difference(
    described: Description, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(description, "BATCH_ROWS", 7)
    again = describe(tmp_path / "set")
    np.testing.assert_allclose(again.pooled, described.pooled, atol=1e-9)
    np.testing.assert_allclose(again.within, described.within, atol=1e-9)


def test_the_spread_is_that_of_the_rows(described: Description, tmp_path: Path) -> None:
    values = np.concatenate([series.values for series in open_dataset(tmp_path / "set").series])
    for column, name in enumerate(described.kept.values()):
        spread, own = described.spreads[name], values[:, column]
        assert spread.mean == pytest.approx(own.mean(), rel=1e-5)
        assert spread.quantiles[2] == pytest.approx(np.median(own), rel=1e-5)
        assert (spread.low, spread.high) == pytest.approx((own.min(), own.max()), rel=1e-5)
    assert described.spreads["disk_read_kbps"].zeros == 1
    assert described.spreads["cpu_usage_mhz"].steady_vms == pytest.approx(2 / 3)
    assert described.spreads["memory_capacity_kb"].steady_vms == 1


def test_words_for_a_correlation() -> None:
    words = [strength(r) for r in (0.0, 0.294, 0.296, -0.5, 0.694, 0.7, -1.0, float("nan"))]
    assert words == ["weak", "weak", "moderate", "moderate", "moderate", "strong", "strong", "constant"]


def test_the_papers_reason_is_judged_by_the_numbers(described: Description) -> None:
    told = " ".join(findings(described))
    assert (
        "moderate (0.3 to 0.7) for 0 of the three over all rows, and for 0 of the three within a VM" in told
    )
    assert "the reason does not hold on this data set" in told
    assert "memory capacity KB" in told.split("Nothing to forecast")[1]


def test_where_the_papers_reason_holds_it_is_said(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    shared = draw.normal(size=(500, 1))
    values = 10 + draw.normal(size=(500, 4)) + np.array([1, 1, 1, 1]) * shared
    save_dataset(
        tmp_path / "set",
        [Series("vnf", np.arange(500.0), values.astype(np.float32))],
        name="own",
        source="a test",
    )
    assert "the reason holds on this data set" in next(findings(describe(tmp_path / "set")))


def test_columns_that_not_every_vm_has_are_left_out_and_named(tmp_path: Path) -> None:
    """Materna beside Bitbrains, which has no size of the disk: its rows count all the same."""
    vm(tmp_path / "in" / "1.csv", 1, slope=-1.0)
    write(tmp_path / "in" / "2.csv", gwa_12(rows(100)))
    imported(tmp_path / "in", tmp_path / "set")
    found = describe(tmp_path / "set")
    assert found.partial == ("memory_usage_percent", "disk_size_gb")
    assert not set(found.partial) & set(found.spreads)
    assert found.rows == 300
    told = " ".join(findings(found))
    assert "count 300 of 300 rows; not in every VM, and left out: memory usage %, disk size GB." in told
    assert document(found)["not_in_every_vm"] == list(found.partial)


def test_two_vms_without_a_common_row_can_be_described(tmp_path: Path) -> None:
    """One without its cores, the other without the size of its disk: no row has all columns."""
    without = gwa_13_quoted(rows(50)).replace("CPU cores", "Mood")
    write(tmp_path / "in" / "1.csv", without)
    write(tmp_path / "in" / "2.csv", gwa_12(rows(50)))
    imported(tmp_path / "in", tmp_path / "set")
    found = describe(tmp_path / "set")
    assert found.partial == ("cpu_cores", "memory_usage_percent", "disk_size_gb")
    assert found.rows == 100


def test_a_data_set_without_a_whole_row_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "1.csv", gwa_12(rows(50)))
    imported(tmp_path / "1.csv", tmp_path / "set")
    monkeypatch.setattr(description, "_moments", lambda *_: iter(()))
    with pytest.raises(Inconclusive, match=r"no row of .* has all of cpu_cores"):
        describe(tmp_path / "set")


def test_the_document_is_json_with_null_where_nothing_is_known(described: Description) -> None:
    found = json.loads(json.dumps(document(described), allow_nan=False))
    names = found["correlations"]["features"]
    at = names.index("disk_size_gb")
    assert set(found["correlations"]["pooled_over_vms"][at]) == {None}
    assert found["kept"]["network"] == "network_kbps"
    assert set(found["features"]) == set(names)


@pytest.mark.parametrize(("kind", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_figure_is_drawn_the_same_each_time(
    kind: str, begin: bytes, described: Description, tmp_path: Path
) -> None:
    one, two = (tmp_path / f"{n}.{kind}" for n in (1, 2))
    for path in (one, two):
        write_figure(described, path)
    assert one.read_bytes().startswith(begin)
    assert one.read_bytes() == two.read_bytes()
    with pytest.raises(UsageError, match="cannot draw"):
        write_figure(described, tmp_path / "figure.pdf")
    with pytest.raises(RunFailed, match="cannot write"):
        write_figure(described, tmp_path / "nowhere" / "figure.png")
