"""Where new cameras begin: the policy is asked once for each, before it sends."""

from __future__ import annotations

from testbedctl.backends.local.lab import Lab
from testbedctl.errors import RunFailed
from testbedctl.experiment.monitor import Monitor
from testbedctl.ports import Flow, VnfState


def measured_vdpis(lab: Lab, flows: dict[str, Flow]) -> list[VnfState]:
    """The lab's vDPIs as they were scraped last. Raises ``RunFailed`` while there are no samples of them."""
    seen = Monitor(lab, flows).look((), lambda: {flow.id: flow.home for flow in flows.values()})
    if seen is None:
        raise RunFailed("the vDPIs have not been measured yet", hint="see the logs of prometheus")
    return [seen.vnfs[node.key] for node in lab.plan.of_type("vdpi")]
