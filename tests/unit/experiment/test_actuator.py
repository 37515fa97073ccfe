"""From decisions to rules and back."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from testbedctl.backends.local.planner import plan
from testbedctl.balancing.unbalanced import Unbalanced
from testbedctl.errors import RunFailed
from testbedctl.experiment.actuator import Actuator
from testbedctl.ports import (
    Action,
    Flow,
    Hold,
    Reason,
    RecommendSla,
    Release,
    ScaleOut,
    Share,
    VnfState,
)
from testbedctl.sdn.client import Confirmed, ControllerSilent
from testbedctl.sdn.rules import Pair
from testbedctl.spec.loader import load_testbed

REASON = Reason("service1/vdpi", 0.9, None, 0.6, "because")


class Recorder:
    """A controller that confirms everything and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def put_cameras(self, dpid: str, cookie: int, cameras: Any) -> Confirmed:
        self.asked.append(("cameras", (dpid, cookie, cameras)))
        return Confirmed(10.0, 0.001)

    def create_share(self, request: Any) -> tuple[None, Confirmed]:
        self.asked.append(("share", request))
        return None, Confirmed(11.0, 0.001)

    def delete_share(self, share_id: str) -> Confirmed:
        self.asked.append(("release", share_id))
        return Confirmed(12.0, 0.001)

    def delete_run(self, cookie: int) -> Confirmed:
        self.asked.append(("clear", cookie))
        return Confirmed(13.0, 0.001)


@pytest.fixture
def controller() -> Recorder:
    return Recorder()


@pytest.fixture
def actuator(controller: Recorder) -> Actuator:
    lab = plan(load_testbed("slice-sharing"))
    flows = {}
    for service in lab.services.values():
        for number in (1, 2, 3):
            source, destination, _ = service.camera_address(number)
            name = f"{service.name}/{number}"
            flows[name] = Flow(name, service.name, source, destination, service.vdpi, service.vdpi, 0.0)
    return Actuator(controller, lab, flows, 77, "third-party")  # type: ignore[arg-type]


def vdpis() -> list[VnfState]:
    return [
        VnfState(f"{s}/vdpi", s, "vdpi", "T1", "edge", {"cpu": 0.1}, {"cpu": 0.6}, 0.25, 0.6)
        for s in ("service1", "service2")
    ]


class Placing(Unbalanced):
    """Places every camera on one VNF."""

    def __init__(self, answer: object):
        self.answer, self.asked = answer, []  # type: ignore[var-annotated]

    def place(self, flow: Flow, targets: Sequence[VnfState]) -> str | None:
        self.asked.append((flow.id, flow.rate_bps, [t.key for t in targets]))
        return self.answer  # type: ignore[return-value]


def test_every_camera_gets_a_rule_to_its_own_vdpi(actuator: Actuator, controller: Recorder) -> None:
    actuator.install_cameras(Unbalanced(), vdpis())
    (first, second) = [what for kind, what in controller.asked if kind == "cameras"]
    assert first[:2] == ("0000000000000001", 77)
    assert [(c.pair.source, c.output_port) for c in first[2]] == [
        ("10.1.16.2", "vdpi1"),
        ("10.1.16.3", "vdpi1"),
        ("10.1.16.4", "vdpi1"),
    ]
    assert {c.output_port for c in second[2]} == {"vdpi2"}


def test_a_share_moves_whole_cameras_and_a_release_takes_them_back(
    actuator: Actuator, controller: Recorder
) -> None:
    flows = ("service1/1", "service1/3")
    applied = actuator.apply(Share("service1/vdpi", "service2/vdpi", flows, 0.5, REASON))
    (_, request) = controller.asked[-1]
    assert request.output_port == "vdpi2"
    assert request.flows == (Pair("10.1.16.2", "10.1.0.2"), Pair("10.1.16.4", "10.1.0.4"))
    assert request.cookie == 77
    assert applied.applied_unix_s == 11.0
    (share,) = actuator.shares
    assert [actuator.path(f) for f in actuator._flows.values()][:3] == [
        "service2/vdpi",
        "service1/vdpi",
        "service2/vdpi",
    ]
    released = actuator.apply(Release(share.id, REASON))
    assert released.flow_ids == flows
    assert controller.asked[-1] == ("release", share.id)
    assert actuator.shares == ()


def test_two_shares_have_two_names(actuator: Actuator, controller: Recorder) -> None:
    for flow in ("service1/1", "service1/2"):
        actuator.apply(Share("service1/vdpi", "service2/vdpi", (flow,), 0.5, REASON))
    names = [request.id for kind, request in controller.asked if kind == "share"]
    assert len(set(names)) == 2


def test_a_hold_asks_nothing_of_the_switch(actuator: Actuator, controller: Recorder) -> None:
    assert actuator.apply(Hold("service1/vdpi", REASON)).applied_unix_s is None
    assert controller.asked == []


def test_a_policy_places_each_new_camera_once(actuator: Actuator, controller: Recorder) -> None:
    policy = Placing("service2/vdpi")
    actuator.install_cameras(policy, vdpis())
    names = [f"service{s}/{n}" for s in (1, 2) for n in (1, 2, 3)]
    assert policy.asked == [(name, 0.0, ["service1/vdpi", "service2/vdpi"]) for name in names]
    ports = [c.output_port for kind, what in controller.asked if kind == "cameras" for c in what[2]]
    assert ports == ["vdpi2"] * 6
    flow = actuator._flows["service1/1"]
    assert (actuator.path(flow), flow.home) == ("service2/vdpi", "service1/vdpi")


def test_the_example_policy_sends_every_second_camera_elsewhere(
    actuator: Actuator, controller: Recorder
) -> None:
    path = Path(__file__).parents[3] / "examples/policy_round_robin/policy_round_robin.py"
    spec = importlib.util.spec_from_file_location("policy_round_robin", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    actuator.install_cameras(module.RoundRobin(), vdpis())
    ports = [[c.output_port for c in what[2]] for kind, what in controller.asked if kind == "cameras"]
    assert ports == [["vdpi1", "vdpi2", "vdpi1"], ["vdpi1", "vdpi2", "vdpi1"]]


@pytest.mark.parametrize("answer", ["service9/vdpi", "service2/van", "vdpi2", 7, ["service2/vdpi"]])
def test_a_place_that_cannot_serve_names_arm_and_camera(
    actuator: Actuator, controller: Recorder, answer: object
) -> None:
    with pytest.raises(RunFailed, match=r"arm 'third-party'.*service1/1 on"):
        actuator.install_cameras(Placing(answer), vdpis())
    assert controller.asked == []


def share(*flows: str, target: str = "service2/vdpi", source: str = "service1/vdpi") -> Share:
    return Share(source, target, flows, 0.5, REASON)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (share(), "'share' .* moves no camera"),
        (Share("service1/vdpi", "service2/vdpi", None, 0.5, REASON), "'share' .* moves no camera"),  # type: ignore[arg-type]
        (share("service1/9"), "'share' .* no camera 'service1/9'"),
        (share("service1/1", "service1/1"), "names a camera twice"),
        (share("service1/1", "service2/1"), "different services"),
        (share("service1/1", target="service9/vdpi"), "no VNF 'service9/vdpi'"),
        (share("service1/1", target="service2/vsre"), "not of the function and class"),
        (share("service1/1", source="nobody"), "no VNF 'nobody'"),
        (share("service1/2"), "service1/2 is in a share already"),
        (Release("s99", REASON), "'release' .* no share 's99'"),
        (Release([], REASON), "no share"),  # type: ignore[arg-type]
        (ScaleOut("x", REASON), "'scale-out' .* no VNF 'x'"),
        (RecommendSla("x", REASON), "'recommend-sla' .* no VNF 'x'"),
        (Hold("service1/vdpi", None), "its reason is None"),  # type: ignore[arg-type]
        ("share", "'str' .* none of testbedctl.ports"),
    ],
)
def test_an_action_that_makes_no_sense_names_arm_and_action(
    actuator: Actuator, controller: Recorder, action: Action, words: str
) -> None:
    actuator.apply(share("service1/2"))
    asked = list(controller.asked)
    with pytest.raises(RunFailed, match=f"arm 'third-party'.*{words}"):
        actuator.apply(action)
    assert controller.asked == asked
    assert len(actuator.shares) == 1


@pytest.mark.parametrize("kind", [ScaleOut, RecommendSla])
def test_what_is_recorded_alone_asks_nothing_of_the_switch(
    actuator: Actuator, controller: Recorder, kind: Any
) -> None:
    assert actuator.apply(kind("service1/vdpi", REASON)).applied_unix_s is None
    assert controller.asked == []


def test_a_failed_release_leaves_the_share_in_force(actuator: Actuator, controller: Recorder) -> None:
    actuator.apply(share("service1/1"))
    controller.delete_share = _silent  # type: ignore[method-assign]
    with pytest.raises(ControllerSilent):
        actuator.apply(Release(actuator.shares[0].id, REASON))
    assert len(actuator.shares) == 1


def _silent(_: object) -> Confirmed:
    raise ControllerSilent("no answer")


def test_clearing_in_vain_is_an_error_of_its_own(actuator: Actuator, controller: Recorder) -> None:
    controller.delete_run = _silent  # type: ignore[method-assign]
    with pytest.raises(RunFailed, match=r"rules of the arm 'third-party' are still .*no answer"):
        actuator.clear()


def test_clearing_never_hides_what_failed_before(actuator: Actuator, controller: Recorder) -> None:
    controller.delete_run = _silent  # type: ignore[method-assign]
    with pytest.raises(RunFailed) as failed:
        try:
            raise RunFailed("prometheus ended")
        finally:
            actuator.clear()
    assert failed.value.message.startswith("prometheus ended; then rules of the arm")
    with pytest.raises(KeyboardInterrupt):
        try:
            raise KeyboardInterrupt
        finally:
            actuator.clear()


def test_a_silent_controller_is_not_waited_for_twice(actuator: Actuator, controller: Recorder) -> None:
    with pytest.raises(ControllerSilent):
        try:
            raise ControllerSilent("POST timed out")
        finally:
            actuator.clear()
    assert controller.asked == []
