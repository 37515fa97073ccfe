"""The store of models: one valid current version, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbedctl.errors import Busy, InvalidFile, RunFailed, UsageError
from testbedctl.forecast.retraining.store import ModelStore


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def add(store: ModelStore, text: str) -> str:
    with store.version() as directory:
        (directory / "model.json").write_text(text)
    return directory.stem


def text_of(store: ModelStore, link: str = "current") -> str:
    return (store.root / link / "model.json").read_text()


def test_an_empty_store_has_no_current_version(store: ModelStore) -> None:
    assert store.current is None
    with store.locked():
        assert store.current is None
    assert not store.root.exists()  # nothing was put into it


def test_a_version_is_not_current_before_it_is_promoted(store: ModelStore) -> None:
    first = add(store, "one")
    assert store.current is None
    store.promote(first)
    second = add(store, "two")
    assert (text_of(store), (store.root / "previous").exists()) == ("one", False)
    store.promote(second)
    assert (text_of(store), text_of(store, "previous")) == ("two", "one")
    assert store.current == store.root / second
    assert (store.root / "current").readlink() == Path(second)  # the store can be moved as a whole


def test_a_version_that_fails_leaves_nothing(store: ModelStore) -> None:
    store.promote(add(store, "one"))
    with pytest.raises(KeyboardInterrupt), store.version() as directory:
        (directory / "model.json").write_text("half")
        raise KeyboardInterrupt
    assert sorted(path.name for path in store.root.iterdir()) == sorted(["current", store.current.name])  # type: ignore[union-attr]


@pytest.mark.parametrize("crash_at", [1, 2])
def test_a_crash_while_promoting_leaves_a_valid_current_version(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    store.promote(add(store, "one"))
    store.promote(add(store, "two"))
    third, calls, replace = add(store, "three"), 0, Path.replace

    def crash(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == crash_at:
            raise KeyboardInterrupt  # as if the power went
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        store.promote(third)
    monkeypatch.undo()
    assert text_of(store) == "two"
    assert text_of(store, "previous") == ("one" if crash_at == 1 else "two")
    store.promote(third)
    assert (text_of(store), text_of(store, "previous")) == ("three", "two")


def test_what_a_killed_process_left_is_cleared(store: ModelStore) -> None:
    store.promote(add(store, "one"))
    half = store.root / "20260101T000000Z.partial"
    half.mkdir()
    with store.locked():
        assert not half.exists()
    assert text_of(store) == "one"


def test_one_retraining_at_a_time(store: ModelStore) -> None:
    store.promote(add(store, "one"))
    with store.locked(), pytest.raises(Busy, match="the store of models"), store.locked():
        pass


def test_a_directory_with_other_things_is_not_touched(tmp_path: Path) -> None:
    aborted = tmp_path / "20261120T101500Z-quick-3f9a2c.partial"
    aborted.mkdir()
    store = ModelStore(tmp_path)
    with pytest.raises(UsageError, match="is not a store of models: it holds 20261120T101500Z-quick"):
        _ = store.current
    with pytest.raises(UsageError, match="is not a store of models"), store.locked():
        pass
    assert aborted.exists()
    with pytest.raises(UsageError, match="is not a directory"):
        _ = ModelStore(Path("/dev/null")).current


def test_a_link_to_nothing_is_said(store: ModelStore) -> None:
    first = add(store, "one")
    store.promote(first)
    (store.root / first).rename(store.root / "20200101T000000Z")
    with pytest.raises(InvalidFile, match=f"leads to .*{first}, which is not there"):
        _ = store.current


def test_a_full_disk_leaves_the_current_version(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.promote(add(store, "one"))
    second = add(store, "two")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "symlink", full)
    with pytest.raises(RunFailed, match="No space left on device"):
        store.promote(second)
    assert text_of(store) == "one"
