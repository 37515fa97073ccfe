"""A data set on the disk: whole or not there, what its manifest says or refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from unit.forecast.dataset.traces import gwa_12, imported, rows, write

from testbedctl.errors import InvalidFile, TestbedError, UsageError
from testbedctl.forecast.dataset.store import open_dataset, read_manifest, save_dataset
from testbedctl.forecast.dataset.writer import DatasetWriter
from testbedctl.forecast.series import Series

ROOT = Path(__file__).resolve().parents[4]


def telemetry(vm: str = "service1/vdpi", rows: int = 30, begin_s: float = 1_700_000_000.0) -> Series:
    values = np.linspace(0, 1, rows * 4, dtype=np.float32).reshape(rows, 4)
    return Series(vm, begin_s + np.arange(rows, dtype=float), values)


def saved(path: Path, *series: Series, replace: bool = False) -> Path:
    save_dataset(path, series or (telemetry(),), name="own", source="a test", replace=replace)
    return path


def traces(folder: Path, count: int = 30) -> Path:
    for name in ("a", "b"):
        write(folder / f"{name}.csv", gwa_12(rows(count)))
    return folder


def left_in(path: Path) -> set[str]:
    return {each.name for each in path.iterdir()}


def test_telemetry_comes_back_as_it_was(tmp_path: Path) -> None:
    one, two = telemetry("service1/vdpi"), telemetry("service2/vdpi", 50, 1_800_000_000.5)
    saved(tmp_path / "set", one, two)
    found = open_dataset(tmp_path / "set")
    assert (found.name, found.step_s, found.units) == ("own", 1.0, "allotment")
    assert found.features == {r: f"{r}_ratio" for r in ("cpu", "ram", "storage", "network")}
    assert found.sha256 == read_manifest(tmp_path / "set").sha256
    for series, expected in zip(found.series, (one, two), strict=True):
        assert series.vm == expected.vm
        assert (series.unix_s.dtype, series.values.dtype) == (np.float64, np.float32)
        np.testing.assert_array_equal(series.unix_s, expected.unix_s)
        np.testing.assert_array_equal(series.values, expected.values)


def test_a_trace_names_both_columns_of_its_network(tmp_path: Path) -> None:
    imported(traces(tmp_path / "in"), tmp_path / "set")
    found = open_dataset(tmp_path / "set")
    assert found.units == "trace"
    assert found.features["network"] == "network_receive_kbps+network_transmit_kbps"


def test_only_the_named_vms_are_opened(tmp_path: Path) -> None:
    imported(traces(tmp_path / "in"), tmp_path / "set")
    assert [series.vm for series in open_dataset(tmp_path / "set", ["b"]).series] == ["b"]
    with pytest.raises(UsageError, match="has no VM c") as told:
        open_dataset(tmp_path / "set", ["b", "c"])
    assert "it has 2: a, b" in (told.value.hint or "")


def test_a_row_without_one_of_the_four_is_a_gap(tmp_path: Path) -> None:
    with_hole = telemetry()
    path = tmp_path / "set"
    saved(path, with_hole, telemetry("other"))
    table = pq.read_table(path / "samples.parquet")
    ram = table.column("ram_ratio").to_pylist()
    ram[7] = None
    at = table.column_names.index("ram_ratio")
    pq.write_table(table.set_column(at, "ram_ratio", [ram]), path / "samples.parquet")
    _sign(path)
    first, second = open_dataset(path).series
    assert len(first.values) == 29
    assert with_hole.unix_s[7] not in first.unix_s
    assert len(second.values) == 30


def _sign(path: Path) -> None:
    """Make the manifest agree with samples that a test wrote."""
    import hashlib

    document = json.loads((path / "manifest.json").read_text())
    document["sha256"] = hashlib.sha256((path / "samples.parquet").read_bytes()).hexdigest()
    (path / "manifest.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "series",
    [
        [telemetry("a"), telemetry("a")],
        [Series("a", np.array([2.0, 1.0, 3.0]), np.zeros((3, 4), np.float32))],
        [Series("a", np.array([1.0, 2.0]), np.array([[0, 0, 0, np.nan], [0, 0, 0, 0]], np.float32))],
    ],
    ids=["one name twice", "time goes backwards", "NaN"],
)
def test_what_is_no_series_is_refused(series: list[Series], tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        save_dataset(tmp_path / "set", series, name="own", source="a test")
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize(
    "series",
    [[], [telemetry(rows=1)], [telemetry("a"), Series("b", telemetry().unix_s * 3, telemetry().values)]],
)
def test_what_has_no_step_or_two_is_refused(series: list[Series], tmp_path: Path) -> None:
    with pytest.raises(InvalidFile):
        save_dataset(tmp_path / "set", series, name="own", source="a test")
    assert left_in(tmp_path) == set()


def _truncate(path: Path) -> None:
    file = path / "samples.parquet"
    file.write_bytes(file.read_bytes()[:-100])


def _flip(path: Path) -> None:
    file = path / "samples.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _exchange(path: Path) -> None:
    other = saved(path.with_name("other"), telemetry(rows=31))
    (path / "samples.parquet").write_bytes((other / "samples.parquet").read_bytes())


def _move_rows(path: Path) -> None:
    document = json.loads((path / "manifest.json").read_text())
    rows_of = document["vms"]
    rows_of["service1/vdpi"]["rows"] -= 1
    rows_of["service2/vdpi"]["rows"] += 1
    (path / "manifest.json").write_text(json.dumps(document))


def _spoil(path: Path) -> None:
    (path / "samples.parquet").write_bytes(b"PAR1 not really PAR1")
    _sign(path)


def _edit(old: str, new: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        file = path / "manifest.json"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return edit


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (_truncate, "is not what its manifest says"),
    "a flipped bit": (_flip, "is not what its manifest says"),
    "of another data set": (_exchange, "is not what its manifest says"),
    "no samples": (lambda path: (path / "samples.parquet").unlink(), "cannot be read"),
    "no Parquet": (_spoil, "cannot be read"),
    "rows of another VM": (_move_rows, "do not agree on the rows of"),
    "another schema": (_edit("testbedctl.dataset/1", "testbedctl.dataset/9"), "this version reads"),
    "an unknown key": (_edit('"units"', '"mood": 1, "units"'), "mood"),
    "no JSON": (_edit('{\n  "name"', '{\n  "name'), "damaged or truncated"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_data_set_is_refused(damage: str, tmp_path: Path) -> None:
    make, said = DAMAGES[damage]
    path = saved(tmp_path / "set", telemetry("service1/vdpi"), telemetry("service2/vdpi"))
    assert len(open_dataset(path).series) == 2
    make(path)
    with pytest.raises(InvalidFile, match=said):
        open_dataset(path)


@pytest.mark.parametrize("what", ["missing", "a file", "an empty directory"])
def test_what_is_no_data_set_is_said(what: str, tmp_path: Path) -> None:
    path = tmp_path / "set"
    if what == "a file":
        path.touch()
    if what == "an empty directory":
        path.mkdir()
    with pytest.raises(UsageError, match="is not a data set"):
        open_dataset(path)


def test_a_data_set_is_only_replaced_when_asked(tmp_path: Path) -> None:
    path = saved(tmp_path / "set")
    before = read_manifest(path)
    with pytest.raises(UsageError, match="is a data set already") as told:
        saved(path, telemetry(rows=40))
    assert "--force" in (told.value.hint or "")
    assert read_manifest(path) == before
    saved(path, telemetry(rows=40), replace=True)
    assert len(open_dataset(path).series[0].values) == 40
    assert left_in(tmp_path) == {"set"}


@pytest.mark.parametrize("what", ["a file", "a directory", "a link to a data set", "a run"])
def test_what_is_not_ours_is_never_replaced(what: str, tmp_path: Path) -> None:
    path = tmp_path / "set"
    if what == "a file":
        path.write_text("mine")
    elif what == "a link to a data set":
        path.symlink_to(saved(tmp_path / "elsewhere"))
    else:
        path.mkdir()
        text = '{"schema": "testbedctl.run/1"}' if what == "a run" else "{}"
        (path / "manifest.json").write_text(text)
    before = left_in(tmp_path)
    with pytest.raises(UsageError, match="exists and is not a data set"):
        saved(path, replace=True)
    assert left_in(tmp_path) == before


def test_the_same_trace_gives_the_same_bytes(tmp_path: Path) -> None:
    files = traces(tmp_path / "in")
    one, two = (imported(files, tmp_path / name) for name in ("one", "two"))
    assert one.sha256 == two.sha256
    assert imported(traces(tmp_path / "more", 31), tmp_path / "three").sha256 != one.sha256


@pytest.mark.parametrize("after", [0, 1])
def test_whatever_ends_an_import_leaves_nothing_behind(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle; with ``--force`` the old data set is as it was."""
    files, path = traces(tmp_path / "in"), saved(tmp_path / "out" / "set")
    real, calls = DatasetWriter.append, []

    def interrupted(self: DatasetWriter, *given: object) -> None:
        calls.append(given)
        if len(calls) > after:
            raise KeyboardInterrupt
        real(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(DatasetWriter, "append", interrupted)
    for output in (path, path.with_name("new")):
        with pytest.raises(KeyboardInterrupt):
            imported(files, output, replace=True)
        assert left_in(path.parent) == {"set"}
    assert open_dataset(path).name == "own"


def test_an_exchange_that_fails_half_way_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "set")
    real = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(TestbedError, match="No space left on device"):
        saved(path, telemetry(rows=40), replace=True)
    assert len(open_dataset(path).series[0].values) == 30
    assert left_in(tmp_path) == {"set"}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", [0, 1])
def test_an_exchange_that_is_interrupted_loses_nothing(
    at: int, moment: str, kind: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each of the two renames, right before and right after it."""
    path = saved(tmp_path / "set")
    real, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) != at + 1:
            return real(self, target)
        if moment == "after":
            real(self, target)
        raise kind("stop")

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises((KeyboardInterrupt, TestbedError)):
        saved(path, telemetry(rows=40), replace=True)
    assert len(open_dataset(path).series[0].values) == (40 if (at, moment) == (1, "after") else 30)
    assert left_in(tmp_path) == {"set"}


def test_an_old_data_set_that_cannot_be_moved_back_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "set")
    real, calls = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) > 1:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(TestbedError, match="Input/output error") as told:
        saved(path, telemetry(rows=40), replace=True)
    (left,) = tmp_path.iterdir()
    assert str(left) in (told.value.hint or "")
    assert len(open_dataset(left).series[0].values) == 30


def test_a_name_that_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be a data set: File name too long"):
        saved(tmp_path / ("x" * 300))
    with pytest.raises(UsageError, match="File name too long"):
        open_dataset(tmp_path / ("x" * 300))
    with pytest.raises(UsageError, match=r"\\udcff is not UTF-8"):
        saved(tmp_path / "\udcff")


FULL = """
import resource, signal, sys
from pathlib import Path
from testbedctl.errors import TestbedError
from testbedctl.forecast.dataset.importer import import_traces
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
source, output, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    import_traces(source, output, terms="", max_broken_share=0, replace=True)
except TestbedError as error:
    print(error.exit_code, error.message, "|", error.hint)
"""


@pytest.mark.parametrize("limit", [0, 100, 2000])
def test_a_full_disk_leaves_the_old_data_set(limit: int, tmp_path: Path) -> None:
    """No file may grow above the limit: what the kernel then answers is what it does on a full disk."""
    files, path = traces(tmp_path / "in", 2000), saved(tmp_path / "out" / "set")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(files), str(path), str(limit)],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith(f"5 cannot write the data set {path}: ")
    assert "what was there is as it was" in done.stdout
    assert done.stderr == ""
    assert left_in(path.parent) == {"set"}
    assert open_dataset(path).name == "own"
