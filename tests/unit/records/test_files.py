"""One file: whole, or the old one, and nothing beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbedctl.errors import RunFailed
from testbedctl.records.files import write_bytes


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(tmp_path / "model.json", b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunFailed, match="No space left on device") as caught:
        write_bytes(tmp_path / "model.json", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.json"]
    assert (tmp_path / "model.json").read_bytes() == b"old"
    assert "what was there before is kept" in str(caught.value.hint)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="No such file or directory"):
        write_bytes(tmp_path / "none" / "model.json", b"new")
