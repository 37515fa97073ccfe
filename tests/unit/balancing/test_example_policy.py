"""The example policy runs as it stands in ``examples/``, without being installed."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from testbedctl.errors import UsageError
from testbedctl.ports import Flow, Observation, Policy, VnfState

EXAMPLE = Path(__file__).parents[3] / "examples" / "policy_round_robin"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    entry_points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    module_name, _, class_name = entry_points["testbedctl.policies"]["round-robin"].partition(":")
    spec = importlib.util.spec_from_file_location(module_name, EXAMPLE / f"{module_name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert hasattr(module, class_name), "the entry point names what is there"
    return module


def targets(*services: str) -> list[VnfState]:
    return [
        VnfState(f"{s}/vdpi", s, "vdpi", "T1", "edge", {"cpu": 0.1}, {"cpu": 0.6}, 0.25, 0.6)
        for s in services
    ]


def flow(number: int) -> Flow:
    return Flow(f"a/{number}", "a", f"10.0.0.{number}", "10.9.0.1", "a/vdpi", "a/vdpi", 0.0)


def test_every_second_camera_takes_its_turn(example: ModuleType) -> None:
    policy: Policy = example.RoundRobin()
    placed = [policy.place(flow(n), targets("a", "b", "c")) for n in range(6)]
    assert placed == [None, "b/vdpi", None, "c/vdpi", None, "b/vdpi"]
    assert policy.decide(Observation(1.0, 0.1, {})) == []


def test_alone_everything_stays_at_home(example: ModuleType) -> None:
    policy: Policy = example.RoundRobin(every=1)
    assert policy.place(flow(1), targets("a")) is None


def test_a_wrong_option_is_a_usage_error(example: ModuleType) -> None:
    with pytest.raises(UsageError, match="every=0"):
        example.RoundRobin(every=0)
