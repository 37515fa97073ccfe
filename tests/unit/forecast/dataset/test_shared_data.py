"""The real traces, where they lie beside the checkout."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from unit.forecast.dataset.traces import counts, imported

from testbedctl.forecast.dataset.store import open_dataset

DATA = Path(os.environ.get("TESTBEDCTL_DATA") or Path(__file__).resolve().parents[5] / "shared" / "data")
MATERNA = DATA / "gwa-t-13-materna" / "01.csv"
BITBRAINS = DATA / "gwa-t-12-bitbrains" / "rnd-2013-8.zip"


def needs(file: Path) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not file.is_file(), reason=f"no reference data: {file.name} is not there")


@needs(MATERNA)
def test_materna_has_the_persistence_error_that_is_known(tmp_path: Path) -> None:
    """0.0385 by min-max of the first 80 %, clipped, one step, over the last 20 % (data/README.md)."""
    manifest = imported(MATERNA, tmp_path / "set")
    assert (manifest.rows, manifest.format, manifest.step_s, manifest.gaps) == (8352, "gwa-t-13", 300.0, 0)
    (series,) = open_dataset(tmp_path / "set").series
    train = series.values[: int(0.8 * len(series.values))]
    low, high = train.min(axis=0), train.max(axis=0)
    scaled = np.clip((series.values - low) / (high - low), 0, 1)[len(train) :]
    rmse = np.sqrt((np.diff(scaled, axis=0) ** 2).mean(axis=0)).mean()
    assert rmse == pytest.approx(0.0385, abs=0.0001)


@needs(BITBRAINS)
def test_the_odd_vms_of_bitbrains_are_put_in_order(tmp_path: Path) -> None:
    """VMs 20, 82 and 265: every row twice, some thrice, a second series in between, 141 s off."""
    with zipfile.ZipFile(BITBRAINS) as whole, zipfile.ZipFile(tmp_path / "part.zip", "w") as part:
        for number in (*range(1, 14), 20, 82, 265):
            name = f"2013-8/{number}.csv"
            part.writestr(name, whole.read(name))
    manifest = imported(tmp_path / "part.zip", tmp_path / "set")
    assert counts(manifest) == {"duplicate": 15288, "conflict": 9, "off-grid": 14970}
    assert manifest.step_s == 300
    for series in open_dataset(tmp_path / "set").series:
        apart = np.diff(series.unix_s)
        assert np.median(apart) == 300
        assert apart.min() >= 150
        assert 4000 < len(series.unix_s) < 8700  # a month has 8640 steps
