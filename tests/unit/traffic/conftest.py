"""Profiles, a two-service testbed and recorded iperf3 documents for the tests of traffic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testbedctl.spec.profile import Profile
from testbedctl.spec.testbed import Testbed
from testbedctl.traffic.schedule import Addresses


@pytest.fixture
def profile() -> Callable[..., Profile]:
    """Make a profile from its shape (as in YAML) and further keys."""

    def make(shape: dict[str, object], **keys: object) -> Profile:
        return Profile.model_validate({"name": "p", "shape": shape, **keys})

    return make


@pytest.fixture
def testbed() -> Testbed:
    """Two services that streams can pass through, and one that they cannot."""

    def vnf(kind: str) -> dict[str, object]:
        extra = {"command": ["true"]} if kind == "command" else {}
        return {"type": kind, "flavour": "f", "domain": "edge", **extra}

    chain = {"access": vnf("van"), "inspector": vnf("vdpi"), "sink": vnf("vsre")}
    services = {
        "plain": {"vni": 1, "vnfs": {"own": vnf("command")}},
        "left": {"vni": 2, "vnfs": chain},
        "right": {"vni": 3, "vnfs": chain},
    }
    return Testbed.model_validate({"name": "t", "flavours": {"f": {"vcpus": 1}}, "services": services})


@pytest.fixture
def addresses() -> Addresses:
    return lambda service, number: (f"10.{len(service)}.0.{number}", f"10.{len(service)}.9.1", 5200 + number)


@pytest.fixture
def recorded() -> Callable[[str], str]:
    """A document that iperf3 3.12 (Debian 12) wrote, from ``recorded/``."""
    return lambda name: (Path(__file__).parent / "recorded" / f"{name}.json").read_text()
