"""Which labs there are, and of which a killed command has left something."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbedctl.host import paths


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TESTBEDCTL_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_no_state_is_no_lab(root: Path) -> None:
    assert not root.exists()
    assert paths.labs() == paths.begun() == []


def test_a_lab_has_a_journal_and_other_directories_are_not_ours(root: Path) -> None:
    for name in ("alpha", "thesis"):
        (root / name).mkdir(parents=True)
    (root / "alpha/journal.jsonl").touch()
    (root / "thesis/chapter1.txt").touch()
    assert paths.labs() == paths.begun() == ["alpha"]


def test_what_a_killed_command_left_is_found_by_its_name(root: Path) -> None:
    root.mkdir()
    paths.lock_file("locked").touch()
    paths.moving_dir("moved").mkdir()
    (root / ".measuring.lock").touch()
    assert paths.labs() == []
    assert paths.begun() == ["locked", "moved"]


def test_the_default_survives_a_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TESTBEDCTL_STATE", raising=False)
    assert paths.state_dir("x") == Path("/var/lib/testbedctl/x")
    monkeypatch.setenv("TESTBEDCTL_STATE", "")
    assert paths.state_root() == Path("/var/lib/testbedctl")
