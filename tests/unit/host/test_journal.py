"""The journal survives a crash at any instant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbedctl.errors import RunFailed
from testbedctl.host.journal import Journal


def test_records_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("lab", lab="a")
    journal.append("group", group="g")
    assert [r["kind"] for r in Journal(journal.path).records()] == ["lab", "group"]
    assert [r["seq"] for r in journal.records()] == [1, 2]


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("lab", lab="a")
    with journal.path.open("a") as file:
        file.write('{"seq": 2, "kind": "gro')
    assert [r["kind"] for r in journal.records()] == ["lab"]


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"seq": 1, "kind": "lab"}\nrubbish\n{"seq": 3, "kind": "up"}\n')
    with pytest.raises(RunFailed, match="damaged"):
        list(Journal(path).records())


def test_every_record_is_synced_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
    )
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("lab")
    assert synced == [str(journal.path), str(tmp_path)]


def test_a_full_disk_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFailed, match="No space left"):
        Journal(tmp_path / "journal.jsonl").append("lab")
