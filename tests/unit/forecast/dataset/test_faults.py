"""Every row is kept, put in its place, or counted and named; none is dropped in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from unit.forecast.dataset.traces import (
    BEGIN_S,
    Row,
    counts,
    gwa_12,
    gwa_13_quoted,
    imported,
    places,
    rows,
    write,
)

from testbedctl.errors import InvalidFile
from testbedctl.forecast.dataset import source, writer
from testbedctl.forecast.dataset.faults import NAMED
from testbedctl.forecast.dataset.store import open_dataset

BROKEN = {
    "number": ({3: "many"}, 4),
    "infinite": ({5: "inf"}, 6),
    "negative": ({8: "-1.5"}, 9),
    "stamp": ({0: "yesterday"}, 1),
    "fields": ({10: "1;\t2"}, 1),
}
WANTED = 300


def broken_at(number: int, fields: dict[int, str]) -> list[Row]:
    wanted = rows(WANTED)
    wanted[number].fields = fields
    return wanted


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("number", [0, 100, WANTED - 1])
def test_a_broken_row_is_counted_and_named(kind: str, number: int, tmp_path: Path) -> None:
    fields, column = BROKEN[kind]
    file = write(tmp_path / "vm.csv", gwa_12(broken_at(number, fields)))
    manifest = imported(file, tmp_path / "set")
    assert counts(manifest) == {kind: 1}
    assert places(manifest, kind) == [("vm.csv", number + 2, column)]
    assert (manifest.rows, manifest.rows_read) == (WANTED - 1, WANTED)
    series = open_dataset(tmp_path / "set").series[0]
    assert BEGIN_S + 300 * number not in series.unix_s
    assert len(series.unix_s) == WANTED - 1


@pytest.mark.parametrize("text", ["NaN", "nan", "-inf", "Infinity"])
def test_what_python_takes_for_a_number_is_none(text: str, tmp_path: Path) -> None:
    manifest = imported(write(tmp_path / "vm.csv", gwa_12(broken_at(7, {2: text}))), tmp_path / "set")
    assert counts(manifest) == {"infinite": 1}


@pytest.mark.parametrize("text", ["", "1_000", "0x1f", "1,5", "1.2.3", "--1"])
def test_what_is_no_number_is_none(text: str, tmp_path: Path) -> None:
    manifest = imported(write(tmp_path / "vm.csv", gwa_12(broken_at(7, {2: text}))), tmp_path / "set")
    assert counts(manifest) == {"number": 1}


def test_a_line_break_within_quotes_ends_the_row(tmp_path: Path) -> None:
    """Lines are what faults are named by, so a row is a line."""
    head, *lines = gwa_12(rows(WANTED)).splitlines()
    lines = [f"{line};good" for line in lines]
    lines[50] = lines[50].replace("good", '"so\nso"')
    text = "\n".join([head + ";Mood", *lines])
    manifest = imported(write(tmp_path / "vm.csv", text), tmp_path / "set")
    assert places(manifest, "fields") == [("vm.csv", 53, 1)]
    assert manifest.rows == WANTED


@pytest.mark.parametrize("text", ["0", "-5", "99999999999999", "31.02.2015 00:00:00", "1.4e9x", "nan"])
def test_a_time_outside_of_1970_to_2100_is_none(text: str, tmp_path: Path) -> None:
    manifest = imported(write(tmp_path / "vm.csv", gwa_12(broken_at(7, {0: text}))), tmp_path / "set")
    assert counts(manifest) == {"stamp": 1}


@pytest.mark.parametrize(
    "text", ["31.02.2015 00:00:00", "5.11.2015 00:00:00", "2015-11-05 00:00:00", "1446681601"]
)
def test_a_day_that_does_not_exist_is_not_another_day(text: str, tmp_path: Path) -> None:
    manifest = imported(write(tmp_path / "vm.csv", gwa_13_quoted(broken_at(7, {0: text}))), tmp_path / "set")
    assert counts(manifest) == {"stamp": 1}


def test_a_decimal_point_among_decimal_commas_is_no_number(tmp_path: Path) -> None:
    """``1.234`` may be a thousand there."""
    manifest = imported(
        write(tmp_path / "vm.csv", gwa_13_quoted(broken_at(7, {3: "1.234"}))), tmp_path / "set"
    )
    assert counts(manifest) == {"number": 1}


def test_too_many_broken_rows_are_an_error_that_names_them(tmp_path: Path) -> None:
    wanted = rows(WANTED)
    for number in range(10, 14):
        wanted[number].fields = {3: "?"}
    file = write(tmp_path / "vm.csv", gwa_12(wanted))
    with pytest.raises(InvalidFile, match=r"4 of 300 rows are broken \(1.33 %, allowed are 1 %\)") as told:
        imported(file, tmp_path / "set")
    assert [place.line for place in told.value.places] == [12, 13, 14, 15]
    assert "'?', not a number" in told.value.places[0].message
    assert not (tmp_path / "set").exists()
    assert imported(file, tmp_path / "set", max_broken_share=4 / 300).rows == 296


def test_no_more_than_the_first_are_named_and_all_are_counted(tmp_path: Path) -> None:
    wanted = rows(WANTED)
    for row in wanted[100:200]:
        row.fields = {3: "?"}
    manifest = imported(write(tmp_path / "vm.csv", gwa_12(wanted)), tmp_path / "set", max_broken_share=0.5)
    assert counts(manifest) == {"number": 100}
    assert [line for _, line, _ in places(manifest, "number")] == list(range(102, 102 + NAMED))


def test_time_that_goes_backwards_is_sorted_and_named(tmp_path: Path) -> None:
    wanted = rows(60)
    wanted[20], wanted[21] = wanted[21], wanted[20]
    manifest = imported(write(tmp_path / "vm.csv", gwa_12(wanted)), tmp_path / "set")
    assert counts(manifest) == {"out-of-order": 1}
    assert places(manifest, "out-of-order") == [("vm.csv", 23, 1)]
    series = open_dataset(tmp_path / "set").series[0]
    assert (np.diff(series.unix_s) == 300).all()
    assert series.values[20, 0] == np.float32(120.25)


def test_of_equal_times_the_first_is_kept(tmp_path: Path) -> None:
    wanted = rows(60)
    wanted[31:31] = [Row(30), Row(99, unix_s=wanted[30].at_s)]
    file = write(tmp_path / "vm.csv", gwa_12(wanted))
    manifest = imported(file, tmp_path / "set", max_broken_share=0.02)
    assert counts(manifest) == {"duplicate": 1, "conflict": 1}
    assert places(manifest, "duplicate") == [("vm.csv", 33, 1)]
    assert places(manifest, "conflict") == [("vm.csv", 34, 1)]
    assert manifest.faults["conflict"].places[0].message == "with other values, the time of line 32"
    assert manifest.rows == 60
    assert open_dataset(tmp_path / "set").series[0].values[30, 0] == np.float32(130.25)


def test_two_series_in_each_other_become_one_grid(tmp_path: Path) -> None:
    """As in the VMs 20, 82 and 265 of the Bitbrains month. What the step is, the other VMs say."""
    inserted = [Row(n, unix_s=BEGIN_S + 300 * n + 141) for n in range(20, 40)]
    wanted = sorted([*rows(60), *inserted], key=lambda row: row.at_s)
    write(tmp_path / "in" / "1.csv", gwa_12(wanted))
    for name in ("2", "3", "4"):
        write(tmp_path / "in" / f"{name}.csv", gwa_12(rows(60)))
    manifest = imported(tmp_path / "in", tmp_path / "set")
    assert manifest.step_s == 300
    assert counts(manifest) == {"off-grid": 20}
    assert {vm: record.rows for vm, record in manifest.vms.items()} == dict.fromkeys("1234", 60)


def of_two_vms(first: list[Row], second: list[Row], *, by_time: bool) -> str:
    """One file with an id column that nobody knows."""
    head, *lines = gwa_12([*first, *second]).splitlines()
    both = [f"{line};\t{vm}" for line, vm in zip(lines, "a" * len(first) + "b" * len(second), strict=True)]
    return "\n".join([f"{head};\tVM id", *(sorted(both) if by_time else both)]) + "\n"


@pytest.mark.parametrize("by_time", [True, False])
@pytest.mark.parametrize(
    ("offset_s", "said"),
    [(0, "100 of 200 rows are broken"), (20, "100 of 200 rows are less than half a step after")],
)
def test_two_vms_in_one_file_are_refused(offset_s: int, said: str, by_time: bool, tmp_path: Path) -> None:
    """Of one clock, and a bit after each other; what the step is, the other VMs say."""
    second = [Row(n + 500, unix_s=BEGIN_S + 300 * n + offset_s) for n in range(100)]
    write(tmp_path / "in" / "both.csv", of_two_vms(rows(100), second, by_time=by_time))
    if offset_s:
        for name in ("3", "4", "5"):
            write(tmp_path / "in" / f"{name}.csv", gwa_12(rows(30)))
        said = "100 of 290 rows are less than half a step after"
    with pytest.raises(InvalidFile, match=said) as told:
        imported(tmp_path / "in", tmp_path / "set")
    assert "told apart by a column that is not known" in (told.value.hint or "")
    assert told.value.places
    assert not (tmp_path / "set").exists()


def test_gaps_are_counted_per_vm(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.csv", gwa_12([*rows(20), *rows(20, first=21), *rows(20, first=300)]))
    write(tmp_path / "in" / "2.csv", gwa_12(rows(20)))
    manifest = imported(tmp_path / "in", tmp_path / "set")
    assert {vm: record.gaps for vm, record in manifest.vms.items()} == {"1": 2, "2": 0}
    assert manifest.gaps == 2


def test_a_mixture_of_steps_is_refused(tmp_path: Path) -> None:
    for name in ("1", "2"):
        write(tmp_path / "in" / f"{name}.csv", gwa_12(rows(60)))
    write(tmp_path / "in" / "3.csv", gwa_12([Row(n, unix_s=BEGIN_S + 600 * n) for n in range(60)]))
    with pytest.raises(InvalidFile, match="another step than 300 s") as told:
        imported(tmp_path / "in", tmp_path / "set")
    assert [(p.file, p.message) for p in told.value.places] == [("in/3.csv", "a row every 600 s")]


def test_as_many_rows_of_two_steps_are_refused(tmp_path: Path) -> None:
    for name, step_s in {"1": 300, "2": 300, "3": 60, "4": 60}.items():
        wanted = [Row(n, unix_s=BEGIN_S + step_s * n) for n in range(60)]
        write(tmp_path / "in" / f"{name}.csv", gwa_12(wanted))
    with pytest.raises(InvalidFile, match="another step than"):
        imported(tmp_path / "in", tmp_path / "set")


def test_one_vm_with_another_step_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GROUP_ROWS", 1000)
    for name in ("1", "3"):
        write(tmp_path / "without" / f"{name}.csv", gwa_12(rows(3000)))
        write(tmp_path / "in" / f"{name}.csv", gwa_12(rows(3000)))
    odd = [Row(n, unix_s=BEGIN_S - 999 + 60 * n) for n in range(50)]
    odd[7].fields = {3: "?"}
    write(tmp_path / "in" / "2.csv", gwa_12(odd))
    manifest = imported(tmp_path / "in", tmp_path / "set")
    assert counts(manifest) == {"step": 50}
    assert places(manifest, "step") == [("2.csv", 1, 1)]
    assert manifest.warnings == ["left out, as their step is not 300 s: 2 (a row every 180 s)"]
    without = imported(tmp_path / "without", tmp_path / "other")
    assert (manifest.vms, manifest.span, manifest.rows) == (without.vms, without.span, 6000)
    for one, two in zip(*(open_dataset(tmp_path / n).series for n in ("set", "other")), strict=True):
        np.testing.assert_array_equal(one.values, two.values)
    with pytest.raises(InvalidFile, match="another step than 300 s") as told:
        imported(tmp_path / "in", tmp_path / "third", max_broken_share=49 / 6050)
    assert [place.file for place in told.value.places] == ["in/2.csv"]


def test_rows_closer_than_a_millisecond_are_refused(tmp_path: Path) -> None:
    lines = gwa_12(rows(30)).splitlines()
    close = [
        line.replace(line.split(";")[0], f"{BEGIN_S + n / 5000:.4f}") for n, line in enumerate(lines[1:])
    ]
    with pytest.raises(InvalidFile, match="less than a millisecond apart"):
        imported(write(tmp_path / "vm.csv", "\n".join([lines[0], *close])), tmp_path / "set")


def test_a_step_that_changes_within_a_file_is_refused(tmp_path: Path) -> None:
    later = [Row(n, unix_s=BEGIN_S + 300 * 500 + 60 * n) for n in range(2000)]
    with pytest.raises(InvalidFile, match="another step than 300 s"):
        imported(write(tmp_path / "vm.csv", gwa_12([*rows(500), *later])), tmp_path / "set")


def test_a_vm_of_few_rows_is_kept_and_named(tmp_path: Path) -> None:
    write(tmp_path / "in" / "long.csv", gwa_12(rows(60)))
    write(tmp_path / "in" / "ten.csv", gwa_12(rows(10)))
    write(tmp_path / "in" / "short.csv", gwa_12(rows(9)))
    write(tmp_path / "in" / "one.csv", gwa_12(rows(1)))
    manifest = imported(tmp_path / "in", tmp_path / "set")
    assert {vm: record.rows for vm, record in manifest.vms.items()} == {
        "long": 60,
        "one": 1,
        "short": 9,
        "ten": 10,
    }
    assert manifest.warnings == ["fewer than 10 rows: one, short"]


def test_a_constant_vm_is_kept(tmp_path: Path) -> None:
    still = [Row(n, fields=dict.fromkeys(range(1, 11), "0")) for n in range(50)]
    manifest = imported(write(tmp_path / "vm.csv", gwa_12(still)), tmp_path / "set")
    assert manifest.rows == 50
    assert not open_dataset(tmp_path / "set").series[0].values.any()


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read in blocks, however large it is: rows, faults and their lines are those of one block."""
    wanted = rows(WANTED)
    wanted[40].fields, wanted[150].fields, wanted[299].fields = {3: "?"}, {0: "?"}, {5: "-1"}
    wanted[81:81] = [Row(80), Row(99, unix_s=wanted[80].at_s)]
    wanted[200:200] = [Row(1, unix_s=wanted[200].at_s - 100)]
    del wanted[250:260]
    file = write(tmp_path / "vm.csv", gwa_12(wanted))
    whole = imported(file, tmp_path / "whole", max_broken_share=0.1)
    assert counts(whole) == {
        "number": 1, "stamp": 1, "negative": 1, "duplicate": 1, "conflict": 1, "off-grid": 1,
    }  # fmt: skip
    for size in (150, 1000, 4096):
        monkeypatch.setattr(source, "BLOCK_BYTES", size)
        parts = imported(file, tmp_path / f"parts-{size}", max_broken_share=0.1)
        assert (parts.faults, parts.vms, parts.sha256) == (whole.faults, whole.vms, whole.sha256)


def test_a_row_that_comes_blocks_too_late_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = rows(WANTED)
    wanted.insert(250, wanted.pop(3))
    file = write(tmp_path / "vm.csv", gwa_12(wanted))
    assert counts(imported(file, tmp_path / "whole")) == {"out-of-order": 1}
    monkeypatch.setattr(source, "BLOCK_BYTES", 4096)
    manifest = imported(file, tmp_path / "parts")
    assert counts(manifest) == {"late": 1}
    assert places(manifest, "late") == [("vm.csv", 252, 1)]
    assert manifest.rows == WANTED - 1


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK_BYTES", 4096)
    file = write(tmp_path / "vm.csv", gwa_12(rows(50)) + "1" * 10_000)
    with pytest.raises(InvalidFile, match="a line of more than 4096 bytes"):
        imported(file, tmp_path / "set")
