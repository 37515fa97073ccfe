"""From decisions to rules and back."""

from __future__ import annotations

from typing import Any

import pytest

from testbedctl.backends.local.planner import plan
from testbedctl.experiment.actuator import Actuator
from testbedctl.ports import Flow, Hold, Reason, Release, Share
from testbedctl.sdn.client import Confirmed
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
    return Actuator(controller, lab, flows, cookie=77)  # type: ignore[arg-type]


def test_every_camera_gets_a_rule_to_its_own_vdpi(actuator: Actuator, controller: Recorder) -> None:
    actuator.install_cameras()
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
