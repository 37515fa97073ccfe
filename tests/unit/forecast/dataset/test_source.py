"""Where traces come from: a folder or a zip, and what is refused of a zip."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from pathlib import Path

import pytest
from unit.forecast.dataset.traces import gwa_12, gwa_13_quoted, imported, rows, write

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.dataset import archive
from testbedctl.forecast.dataset.source import TraceFile
from testbedctl.forecast.dataset.store import open_dataset

TEXT = gwa_12(rows(30))


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return path


def patched(path: Path, old: bytes, new: bytes) -> Path:
    """The zip with some of its own records changed, in the headers of the file and in the directory."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


def vms(path: Path) -> list[str]:
    return [series.vm for series in open_dataset(path).series]


def test_a_zip_and_its_folder_are_the_same_data_set(tmp_path: Path) -> None:
    files = {f"2013-8/{n}.csv": gwa_12(rows(20 + n)) for n in (1, 2, 10)}
    for name, text in files.items():
        write(tmp_path / "in" / name, text)
    one = imported(zipped(tmp_path / "in.zip", files), tmp_path / "one")
    two = imported(tmp_path / "in", tmp_path / "two")
    assert vms(tmp_path / "one") == vms(tmp_path / "two") == ["1", "10", "2"]
    assert (one.sha256, one.vms, one.name) == (two.sha256, two.vms, two.name)


def test_names_are_unique_over_the_traces_of_an_archive(tmp_path: Path) -> None:
    """As in the zip of GWA-T-13: three traces, each of which has a VM 01."""
    names = [f"GWA-T-13/Materna-Trace-{trace}/{vm}.csv" for trace in (1, 2, 3) for vm in ("01", "02")]
    file = zipped(tmp_path / "materna.zip", dict.fromkeys(names, gwa_13_quoted(rows(20))))
    assert imported(file, tmp_path / "set").rows == 120
    assert vms(tmp_path / "set") == [f"Materna-Trace-{t}/{vm}" for t in (1, 2, 3) for vm in ("01", "02")]


def test_a_zip_is_known_by_its_content(tmp_path: Path) -> None:
    file = zipped(tmp_path / "trace.download", {"1.csv": TEXT})
    assert imported(file, tmp_path / "set").vms.keys() == {"1"}


def test_what_is_no_csv_is_passed_over_and_named(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"9.csv": TEXT}).read_bytes()
    path = zipped(tmp_path / "outer.zip", {"1.csv": TEXT, "readme.txt": "", "__MACOSX/._1.csv": "\x00"})
    with zipfile.ZipFile(path, "a") as made:
        made.writestr("inner.zip", inner)
    manifest = imported(path, tmp_path / "set")
    assert list(manifest.vms) == ["1"]
    assert manifest.warnings == ["no .csv and not read: __MACOSX/._1.csv, inner.zip, readme.txt"]


def test_two_files_of_one_vm_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="more than one file of the VM 1"):
        imported(zipped(tmp_path / "a.zip", {"1.csv": TEXT, "1.CSV": TEXT}), tmp_path / "set")


@pytest.mark.parametrize(
    "name", ["../1.csv", "a/../../1.csv", "/etc/1.csv", "..\\1.csv", "C:\\1.csv", "\\\\host\\1.csv"]
)
def test_a_name_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as told:
        imported(zipped(tmp_path / "a.zip", {"0.csv": TEXT, name: TEXT}), tmp_path / "set")
    assert [place.message for place in told.value.places] == [f"{name!r} leads out of the archive"]
    assert {each.name for each in tmp_path.iterdir()} == {"a.zip"}


@pytest.mark.parametrize("name", [".", "./."])
def test_a_name_of_no_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as told:
        imported(zipped(tmp_path / "a.zip", {"0.csv": TEXT, name: TEXT}), tmp_path / "set")
    assert [place.message for place in told.value.places] == [f"{name!r} names no file"]


def test_a_zip_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.csv": TEXT})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99
    path.write_bytes(data)
    with pytest.raises(InvalidFile, match="no zip that can be read"):
        imported(path, tmp_path / "set")


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("1.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidFile) as told:
        imported(tmp_path / "a.zip", tmp_path / "set")
    assert "is a link" in told.value.places[0].message


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.csv": TEXT})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(InvalidFile) as told:
        imported(path, tmp_path / "set")
    assert "is encrypted" in told.value.places[0].message


def test_a_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "a.zip", {"1.csv": TEXT + "0" * 20_000_000})
    with pytest.raises(InvalidFile, match="that is a bomb"):
        imported(bomb, tmp_path / "set")


def test_more_than_the_limit_is_a_bomb_whatever_its_ratio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "a.zip", {"1.csv": TEXT, "2.csv": TEXT})
    monkeypatch.setattr(archive, "MAX_BYTES", 2 * len(TEXT))
    assert imported(path, tmp_path / "set").rows == 60
    monkeypatch.setattr(archive, "MAX_BYTES", 2 * len(TEXT) - 1)
    with pytest.raises(InvalidFile, match="that is a bomb"):
        imported(path, tmp_path / "other")


def test_a_file_that_holds_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    """The bomb that lies about its size."""
    path = zipped(tmp_path / "a.zip", {"1.csv": TEXT})
    size = len(TEXT).to_bytes(4, "little")
    patched(path, size, (len(TEXT) // 2).to_bytes(4, "little"))
    with pytest.raises(InvalidFile, match=r"a.zip/1.csv cannot be read: Bad CRC-32"):
        imported(path, tmp_path / "set")


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "1.csv", TEXT)
    growing = TraceFile("1", "1.csv", len(TEXT) - 1, lambda: file.open("rb"))
    with pytest.raises(InvalidFile, match=f"holds more than the {len(TEXT) - 1} bytes"):
        list(growing.blocks())


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.csv": TEXT})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InvalidFile, match="no zip that can be read"):
        imported(path, tmp_path / "set")


def test_a_zip_with_damaged_content_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.csv": TEXT})
    data = bytearray(path.read_bytes())
    data[200:220] = b"\xff" * 20
    path.write_bytes(data)
    with pytest.raises(InvalidFile, match=r"a.zip/1.csv cannot be read"):
        imported(path, tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("closed", ["in", "in/deep"])
def test_a_folder_that_may_not_be_entered_is_said(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, who may enter everything."""
    write(tmp_path / "in" / "1.csv", TEXT)
    write(tmp_path / "in" / "deep" / "2.csv", TEXT)
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path) == tmp_path / closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UsageError, match=f"cannot read .*{closed}: Permission denied"):
        imported(tmp_path / "in", tmp_path / "set")


def test_a_path_that_cannot_be_looked_at_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        imported(tmp_path / ("x" * 300), tmp_path / "set")


@pytest.mark.parametrize("name", [b"in/\xff.csv", b"\xff/1.csv", b"\xff.csv"])
def test_a_name_that_is_not_utf_8_is_refused(name: bytes, tmp_path: Path) -> None:
    file = write(tmp_path / os.fsdecode(name), TEXT)
    path = tmp_path / "in" if name.startswith(b"in") else file
    path = file.parent if name.endswith(b"/1.csv") else path
    with pytest.raises(InvalidFile, match=r"not UTF-8: \\udcff"):
        imported(path, tmp_path / "set")


def test_a_name_that_is_not_utf_8_may_be_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.csv", TEXT)
    write(tmp_path / "in" / os.fsdecode(b"\xff.txt"), "")
    manifest = imported(tmp_path / "in", tmp_path / "set")
    assert manifest.warnings == ["no .csv and not read: \\udcff.txt"]


@pytest.mark.parametrize("found", ["missing", "empty folder", "folder without csv"])
def test_nothing_to_import_is_said(found: str, tmp_path: Path) -> None:
    path = tmp_path / "in"
    if found != "missing":
        path.mkdir()
    if found == "folder without csv":
        write(path / "readme.txt", "")
    with pytest.raises(UsageError):
        imported(path, tmp_path / "set")
