"""What Prometheus is told to scrape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbedctl.backends.local.daemons import agent_config
from testbedctl.backends.local.health import scrape_targets
from testbedctl.backends.local.lab import Lab
from testbedctl.backends.local.planner import plan
from testbedctl.spec.testbed import Testbed

VNFS = {
    "van": {"type": "van", "domain": "edge", "flavour": "small"},
    "vdpi": {"type": "vdpi", "domain": "edge", "flavour": "small"},
    "vsre": {"type": "vsre", "domain": "core", "flavour": "small"},
}


@pytest.fixture
def testbed() -> Testbed:
    services = {
        "a": {"vni": 1, "vnfs": VNFS, "metrics": {"b-c": {"vnf": "vsre", "port": 80}}},
        "a-b": {"vni": 2, "vnfs": VNFS, "metrics": {"c": {"vnf": "vdpi", "port": 81}}},
    }
    document = {"name": "names", "flavours": {"small": {"vcpus": 0.5}}, "services": services}
    return Testbed.model_validate_json(json.dumps(document))


def test_metrics_of_two_services_never_share_a_name(testbed: Testbed) -> None:
    extra = scrape_targets(plan(testbed))["extra"]
    assert set(extra) == {"a/b-c", "a-b/c"}
    assert extra["a/b-c"].labels == {"service": "a", "vnf": "vsre", "domain": "core"}
    assert extra["a-b/c"].labels == {"service": "a-b", "vnf": "vdpi", "domain": "edge"}


def test_decisions_are_told_by_one_agent_alone(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TESTBEDCTL_STATE", str(tmp_path))
    resolved, lab = plan(testbed), Lab("names")
    files = {domain: agent_config(lab, resolved, domain).decisions for domain in ("edge", "core")}
    assert files == {"edge": str(lab.decisions), "core": None}
    assert lab.decisions.parent == lab.runtime
