"""Reading runs that somebody damaged, or that another version wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden.make_run import make_run

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.records.reader import RunReader


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path)


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_directory_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run directory"):
        RunReader(tmp_path)


def test_a_truncated_manifest_is_named_with_the_place(run: Path) -> None:
    file = run / "manifest.json"
    file.write_text(file.read_text()[:200])
    with pytest.raises(InvalidFile, match=r"manifest\.json is damaged") as caught:
        RunReader(run)
    assert caught.value.places[0].line > 1


def test_an_unknown_format_is_refused(run: Path) -> None:
    _change(run / "manifest.json", schema="testbedctl.run/2")
    with pytest.raises(InvalidFile, match=r"testbedctl\.run/2.*testbedctl\.run/1"):
        RunReader(run)


@pytest.mark.parametrize("changes", [{"colour": "red"}, {"steps": []}, {"seed": "x"}, {"status": "fine"}])
def test_a_manifest_that_does_not_follow_the_format_is_refused(run: Path, changes: dict[str, Any]) -> None:
    _change(run / "manifest.json", **changes)
    with pytest.raises(InvalidFile, match=next(iter(changes))):
        RunReader(run)


def test_a_manifest_that_is_no_object_or_not_text_is_refused(run: Path) -> None:
    (run / "manifest.json").write_text("[]")
    with pytest.raises(InvalidFile, match="None"):
        RunReader(run)
    (run / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidFile, match="cannot be read"):
        RunReader(run)


def test_nan_in_a_record_is_refused(run: Path) -> None:
    file = run / "trials" / "1-none" / "trial.json"
    file.write_text(file.read_text().replace("16.0", "NaN"))
    with pytest.raises(InvalidFile, match="NaN is not a number"):
        _ = RunReader(run).trials


def test_a_torn_decision_is_named_with_its_line(run: Path) -> None:
    file = run / "trials" / "2-reactive" / "decisions.jsonl"
    file.write_text(file.read_text() + '{"at_s": 1')
    trial = RunReader(run).trials[1]
    with pytest.raises(InvalidFile, match=r"decisions\.jsonl") as caught:
        trial.decisions()
    assert caught.value.places[0].line == 2


def test_missing_decisions_are_not_no_decisions(run: Path) -> None:
    (run / "trials" / "1-none" / "decisions.jsonl").unlink()
    with pytest.raises(InvalidFile, match="missing"):
        RunReader(run).trials[0].decisions()
