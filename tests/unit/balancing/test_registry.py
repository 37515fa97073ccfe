"""``--arm NAME[:key=value,…]``: what is accepted, and what is said of the rest."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from testbedctl.balancing import registry
from testbedctl.balancing.reactive import Reactive
from testbedctl.balancing.unbalanced import Unbalanced
from testbedctl.errors import UsageError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three plug-ins as if installed: one that works, one that does not import, one that is no policy."""
    points = [
        EntryPoint("mine", f"{__name__}:Mine", registry.POLICIES),
        EntryPoint("broken", "no_such_module:Policy", registry.POLICIES),
        EntryPoint("nothing", "builtins:object", registry.POLICIES),
        EntryPoint("none", "no_such_module:Impostor", registry.POLICIES),
    ]

    def found(*, group: str, name: str | None = None) -> EntryPoints:
        fit = (p for p in points if p.group == group and name in (None, p.name))
        return EntryPoints(fit)

    monkeypatch.setattr(registry, "entry_points", found)


class Mine:
    def __init__(self, count: int = 1, loud: bool = False, word: str = "", rate: float | None = None) -> None:
        self.options = (count, loud, word, rate)

    def decide(self, _observation: object) -> list[object]:
        return []

    def place(self, _flow: object, _targets: object) -> None:
        return None


def test_built_in_policies_by_name() -> None:
    name, policy = registry.policy("none")
    assert name == "none"
    assert isinstance(policy, Unbalanced)
    name, policy = registry.policy("reactive:hold_s=60,threshold=0.5")
    assert name == "reactive"
    assert isinstance(policy, Reactive)


def test_each_call_makes_a_fresh_policy() -> None:
    assert registry.policy("reactive")[1] is not registry.policy("reactive")[1]


def test_the_forecaster_is_chosen_by_name() -> None:
    assert registry.policy("reactive:forecaster=persistence")[0] == "reactive"
    with pytest.raises(UsageError, match="unknown forecaster 'persistance'") as caught:
        registry.policy("reactive:forecaster=persistance")
    assert "did you mean 'persistence'" in str(caught.value.hint)


def test_a_forecaster_that_is_a_file_is_looked_at_before_anything_runs() -> None:
    with pytest.raises(UsageError, match=r"the model file models/none\.onnx is missing"):
        registry.policy("reactive:forecaster=models/none.onnx")
    assert "shipped" in registry.names(registry.FORECASTERS)


@pytest.mark.usefixtures("installed")
def test_an_installed_policy_and_its_typed_options() -> None:
    _, policy = registry.policy("mine:count=3, loud=yes,word=x,rate=2.5")
    assert isinstance(policy, Mine)
    assert policy.options == (3, True, "x", 2.5)
    assert registry.names() == ["broken", "mine", "none", "nothing", "reactive"]


@pytest.mark.usefixtures("installed")
def test_a_built_in_name_cannot_be_taken() -> None:
    assert isinstance(registry.policy("none")[1], Unbalanced)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("arm", "message", "hint"),
    [
        ("reactiv", "unknown policy 'reactiv'", "did you mean 'reactive'? There are: broken, mine"),
        ("", "unknown policy ''", "there are: "),
        ("zzz", "unknown policy 'zzz'", "there are: "),
        ("reactive:", "nothing after ':'", "NAME:key=value"),
        ("reactive:hold", "'hold' is not key=value", "NAME:key=value"),
        ("reactive:hold_s=", "is not key=value", "NAME:key=value"),
        ("reactive:hold_s=1,,", "is not key=value", "NAME:key=value"),
        ("reactive:holds=3", "unknown key 'holds'", "did you mean 'hold_s'"),
        ("none:x=1", "unknown key 'x'", "it takes no keys"),
        ("reactive:hold_s=1,hold_s=2", "given twice", ""),
        ("reactive:hold_s=soon", "hold_s='soon' is not a number", ""),
        ("reactive:hold_s=nan", "hold_s='nan' is not a number", ""),
        ("reactive:hold_s=-1", "hold_s -1.0", "0 to 3600"),
        ("mine:count=1.5", "is not a whole number", ""),
        ("mine:loud=maybe", "is not a yes or no", ""),
        ("broken", "does not load: No module named 'no_such_module'", "reinstall"),
        ("nothing", "has no 'decide'", "policy.md"),
    ],
)
def test_what_is_wrong_is_said(arm: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry.policy(arm)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 2
