"""What a run will do, decided before it does anything: arms, order, seed, and the manifest that says so."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from testbedctl import __version__
from testbedctl.backends.local.plan import FABRIC, Plan
from testbedctl.backends.local.switches import instance
from testbedctl.host import netns, paths
from testbedctl.host.facts import fingerprint
from testbedctl.host.interface import Interfaces
from testbedctl.records.manifest import Camera, Host, Manifest, Planned, Step, VnfRecord
from testbedctl.spec.profile import Profile
from testbedctl.traffic.schedule import Schedule

DEPENDENCIES = (
    "iperf3",
    "nfstream",
    "os-ken",
    "prometheus-api-client",
    "prometheus-client",
    "pyarrow",
    "scipy",
)


def order(arms: Sequence[str], trials: int, seed: int) -> list[Planned]:
    """All trials in the order in which they are run: in each block every arm once, shuffled by the seed.

    Interleaving lets a drift of the machine hit all arms alike.
    """
    chance = random.Random(seed)
    planned: list[Planned] = []
    for trial in range(1, trials + 1):
        block = list(arms)
        chance.shuffle(block)
        planned += [Planned(n=len(planned) + k, arm=arm, trial=trial) for k, arm in enumerate(block, 1)]
    return planned


def manifest(
    plan: Plan, profile: Profile, schedule: Schedule, arms: Sequence[str], trials: int, seed: int
) -> Manifest:
    """The head of a run on this host."""
    return Manifest(
        lab=plan.lab,
        testbed=plan.testbed.model_dump(mode="json", by_alias=True),
        profile=profile.model_dump(mode="json"),
        steps=[
            Step(step=s.step, start_s=s.start_s, end_s=s.end_s, offered_bps=s.offered_bps)
            for s in schedule.steps
        ],
        cameras=[
            Camera(
                camera=c.camera,
                service=c.service,
                source=c.source,
                destination=c.destination,
                rate_bps=c.rate_bps,
                start_s=c.start_s,
                stop_s=c.stop_s,
            )
            for c in schedule.cameras
        ],
        service=schedule.service,
        vnfs={key: _vnf(plan, key) for key in plan.vnfs},
        arms=list(arms),
        trials=trials,
        seed=seed,
        order=order(arms, trials, seed),
        tool={"testbedctl": __version__},
        dependencies={name: metadata.version(name) for name in DEPENDENCIES},
        git=_git(),
        host=Host.model_validate({**fingerprint(), **_forwarding(plan)}),
    )


def _forwarding(plan: Plan) -> dict[str, Any]:
    """What the lab's own switches and links say of themselves: the datapath of the VNFs and that of plain
    switches, if there are any; the offloads of a link that cameras send over."""
    service = next(iter(plan.services.values()))
    asked = [switch for switch in plan.switches if switch.node in (service.vdpi, FABRIC)]
    runtime = paths.runtime_dir(plan.lab)
    datapaths = {s.node: instance(runtime, s.node).datapath_type(s.bridges[0].name) for s in asked}
    with netns.inside(plan.nodes[service.cameras].netns), Interfaces() as interfaces:
        offloads = interfaces.offloads(service.camera_interface)
    return {
        "datapath": datapaths[service.vdpi],
        "datapath_of_switches": datapaths.get(FABRIC),
        "offloads": offloads,
    }


def _vnf(plan: Plan, key: str) -> VnfRecord:
    vnf = plan.vnfs[key]
    return VnfRecord(
        service=vnf.service,
        function=vnf.spec.type,
        vnf_class=vnf.spec.vnf_class,
        domain=vnf.spec.domain,
        cpu_quota_cores=vnf.flavour.vcpus,
        slice_cpu_cores=vnf.slice_cpu_cores,
        cpu_threshold=vnf.thresholds.cpu,
        share_limit=vnf.sla.share_limit,
        dpi=vnf.spec.dpi if vnf.spec.type == "vdpi" else None,
    )


def _git() -> dict[str, Any] | None:
    """Commit and cleanliness of the checkout that runs; None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        argv = ["git", "-C", str(root), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError):  # no git here, or a checkout without a commit
        return None
