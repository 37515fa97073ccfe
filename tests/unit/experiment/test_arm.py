"""A policy of somebody else's: what it does wrong is told with its arm's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testbedctl.balancing.unbalanced import Unbalanced
from testbedctl.errors import RunFailed, UsageError
from testbedctl.experiment import arm as arms
from testbedctl.experiment.arm import Arm
from testbedctl.ports import Flow, Hold, Observation, Reason
from testbedctl.telemetry import decisions

SEEN = Observation(1.0, 0.1, {})
FLOW = Flow("a/1", "a", "10.0.0.1", "10.9.0.1", "a/vdpi", "a/vdpi", 0.0)
REASON = Reason("a/vdpi", 0.9, None, 0.6, "because")


class Wild(Unbalanced):
    """Answers whatever it is told to."""

    def __init__(self, answer: Callable[[], object]):
        self.answer = answer

    def decide(self, _: object) -> object:  # type: ignore[override]
        return self.answer()

    def place(self, *_: object) -> object:  # type: ignore[override]
        return self.answer()


def wild(monkeypatch: pytest.MonkeyPatch, counts: Path, answer: Callable[[], object]) -> Arm:
    monkeypatch.setattr(arms, "policy", lambda name: (name, Wild(answer)))
    return Arm("mine:x=1", counts)


@pytest.mark.parametrize("answer", [None, (), "share", {}])
def test_decide_must_return_a_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: object) -> None:
    arm = wild(monkeypatch, tmp_path / "d", lambda: answer)
    with pytest.raises(RunFailed, match=f"arm 'mine:x=1'.*'decide' returned {type(answer).__name__}"):
        arm.decide(SEEN)


def test_an_exception_names_arm_method_and_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    arm = wild(monkeypatch, tmp_path / "d", lambda: 1 / 0)
    words = r"failed at test_arm.py:\d+: ZeroDivisionError"
    with pytest.raises(RunFailed, match=f"arm 'mine:x=1': 'decide' {words}"):
        arm.decide(SEEN)
    with pytest.raises(RunFailed, match=f"arm 'mine:x=1': 'place' {words}"):
        arm.place(FLOW, [])


def test_decisions_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    counts = tmp_path / "decisions.json"
    arm = wild(monkeypatch, counts, lambda: [Hold("a/vdpi", REASON), Hold("a/vdpi", REASON)])
    arm.decide(SEEN)
    arm.decide(SEEN)
    assert decisions.read(counts)["hold"] == 4
    assert decisions.read(counts)["share"] == 0


def test_an_unknown_arm_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown policy 'reactiv'"):
        Arm("reactiv", tmp_path / "d")
