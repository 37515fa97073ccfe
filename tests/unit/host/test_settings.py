"""Kernel settings go back to what they were when the last lab has gone, whoever raised them first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbedctl.host import paths, settings


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "RUNTIME_ROOT", tmp_path / "run/testbedctl")
    (tmp_path / "run").mkdir()
    return tmp_path / "run/testbedctl"


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    file = tmp_path / "rmem_default"
    file.write_text("212992\n")
    return file


def test_a_setting_is_recorded_before_it_is_raised(ring: Path, runtime: Path) -> None:
    assert settings.raise_to(ring, 8_388_608)
    assert settings.read(ring) == "8388608"
    assert settings.in_force() == [f"{ring} = 8388608"]
    assert json.loads((runtime / "settings.json").read_text()) == {
        str(ring): {"old": "212992", "new": "8388608"}
    }


def test_what_is_high_enough_is_left_alone(ring: Path, runtime: Path) -> None:
    assert not settings.raise_to(ring, 1000)
    assert not settings.raise_to(ring.with_name("absent"), 1000)
    assert settings.read(ring) == "212992" and not runtime.exists()


def test_the_second_lab_does_not_hide_what_the_first_found(ring: Path) -> None:
    settings.raise_to(ring, 1_000_000)
    settings.raise_to(ring, 2_000_000)
    assert settings.restore(ring)
    assert settings.read(ring) == "212992"


def test_what_somebody_else_has_set_since_is_kept(ring: Path) -> None:
    settings.raise_to(ring, 1_000_000)
    ring.write_text("4000000\n")
    assert settings.in_force() == []
    assert not settings.restore(ring)
    assert settings.read(ring) == "4000000" and settings.recorded() == {}


def test_nothing_recorded_is_nothing_to_restore(ring: Path, runtime: Path) -> None:
    assert not settings.restore(ring)
    assert settings.read(ring) == "212992" and not runtime.exists()


def test_raised_for_a_body_and_back_also_after_an_error(ring: Path, runtime: Path) -> None:
    with pytest.raises(ZeroDivisionError), settings.raised(ring, 1_000_000):
        assert settings.read(ring) == "1000000"
        raise ZeroDivisionError
    assert settings.read(ring) == "212992"
    assert list(runtime.parent.iterdir()) == [runtime] and list(runtime.iterdir()) == []


def test_what_a_killed_process_left_raised_is_put_back_by_the_next(ring: Path) -> None:
    settings.raise_to(ring, 1_000_000)  # and never restored
    with settings.raised(ring, 1_000_000):
        pass
    assert settings.read(ring) == "212992" and settings.recorded() == {}


def test_labs_that_rely_on_the_settings_are_known_by_their_mark(runtime: Path) -> None:
    for name, mark in (("ours", paths.MARK), ("foreign", "something")):
        (runtime / name).mkdir(parents=True)
        (runtime / name / mark).touch()
    assert paths.in_use() == ["ours"]
