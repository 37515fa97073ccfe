"""Brings a lab up: every phase is journaled before it begins, and undone if it fails."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial

from testbedctl.backends.local import down, health, network, switches
from testbedctl.backends.local.daemons import agent_config, agent_config_path, agent_endpoints, programs
from testbedctl.backends.local.lab import Lab
from testbedctl.backends.local.plan import Plan, camera_memory_bytes
from testbedctl.backends.local.planner import plan
from testbedctl.errors import Foreign, HostUnfit, RunFailed, UsageError
from testbedctl.host import cgroup, netns, process, requirements, settings
from testbedctl.host.journal import boot_id
from testbedctl.host.lock import held
from testbedctl.spec.testbed import Testbed

SOCKET_BUFFER_BYTES = 8 * 1024 * 1024
"""With the kernel's default of 208 KiB a user-space switch loses packets on an idle machine."""

Progress = Callable[[str], None]


def up(testbed: Testbed, name: str | None, *, progress: Progress, wait_s: float = 0) -> Lab:
    """Bring the lab up and return it; what was begun is undone if anything fails or on Ctrl-C."""
    lab = Lab(name or testbed.name)
    _check_host()
    with held(lab.lock, f"the lab {lab.name}", wait_s=wait_s):
        if lab.journal.path.exists():
            state = "is up already" if lab.is_up else "was begun and not finished"
            raise UsageError(f"the lab {lab.name} {state}", hint=f"testbedctl down --lab {lab.name}")
        resolved = plan(testbed, lab.name)
        _refuse_foreign(lab, resolved)
        try:
            _build(lab, resolved, progress)
        except BaseException:  # an interruption too must leave nothing behind
            progress("rolling back")
            down.take_down(lab)
            raise
    return lab


def _check_host() -> None:
    missing = requirements.missing()
    if missing:
        raise HostUnfit("; ".join(missing), hint="run 'testbedctl doctor'")


def _refuse_foreign(lab: Lab, resolved: Plan) -> None:
    """Nothing of our name may stand in the way: it would be somebody else's, for we have no journal of it."""
    in_the_way = [f"network namespace {n.netns}" for n in resolved.nodes.values() if netns.exists(n.netns)]
    if cgroup.exists(lab.hierarchy, resolved.group):
        in_the_way.append(f"control group {resolved.group}")
    in_the_way += [f"directory {d}" for d in (lab.state, lab.runtime) if d.exists()]
    if in_the_way:
        raise Foreign(
            f"in the way and not made by this lab: {', '.join(in_the_way)}",
            hint="remove it yourself if it is no longer needed, or choose another name with --lab",
        )


def _build(lab: Lab, resolved: Plan, progress: Progress) -> None:
    journal = lab.journal
    lab.logs.mkdir(parents=True)
    lab.state.chmod(0o755)
    journal.append(
        "lab", lab=lab.name, boot_id=boot_id(), created=time.time(), testbed=_document(resolved.testbed)
    )
    journal.append("directory", path=str(lab.runtime))
    lab.runtime.mkdir(parents=True, mode=0o700)
    for setting in settings.SOCKET_BUFFERS:
        settings.raise_to(journal, setting, SOCKET_BUFFER_BYTES)
    with settings.raised(journal, settings.EXPEDITED_RCU, 1):
        _create(lab, resolved, progress)
    health.wait_until_ready(lab, resolved, progress)
    journal.append("up")


def _create(lab: Lab, resolved: Plan, progress: Progress) -> None:
    journal = lab.journal
    progress("control groups")
    journal.append("group", group=resolved.group)
    _create_groups(lab, resolved)
    progress("namespaces and links")
    journal.append("namespaces", names=[n.netns for n in resolved.nodes.values()])
    network.create(resolved)
    progress("programs")
    _write_configuration(lab, resolved)
    start = partial(_start, lab, resolved)
    for program in programs(lab, resolved):
        start(program.name, program.node, program.argv, {})
    progress("switches")
    switches.start(resolved, lab.runtime, lab.northbound.exists, start)


def _document(testbed: Testbed) -> object:
    return testbed.model_dump(mode="json", by_alias=True)


def _create_groups(lab: Lab, resolved: Plan) -> None:
    for node in resolved.nodes.values():
        if node.group is None:
            continue
        vnf = resolved.vnfs.get(node.key)
        cgroup.create(
            lab.hierarchy,
            node.group,
            cpu_cores=vnf.flavour.vcpus if vnf else None,
            memory_bytes=camera_memory_bytes(vnf.flavour) if vnf else None,
        )


def _write_configuration(lab: Lab, resolved: Plan) -> None:
    if not resolved.vnfs:
        return
    from testbedctl.telemetry.prometheus import write_config

    lab.token_file.touch(mode=0o600)
    lab.token_file.write_text(secrets.token_urlsafe(32))
    for domain in agent_endpoints(resolved):
        agent_config_path(lab, domain).write_text(agent_config(lab, resolved, domain).to_json())
    write_config(lab.state / "prometheus.yml", **health.scrape_targets(resolved))


def _start(lab: Lab, resolved: Plan, name: str, node: str, argv: list[str], env: dict[str, str]) -> None:
    there = resolved.nodes[node]
    log = lab.logs / f"{name.replace(' ', '.').replace('/', '.')}.log"
    child = process.spawn(
        argv,
        netns=there.netns,
        cgroups=lab.hierarchy.directories(there.group) if there.group else (),
        env=env,
        stdout=log,
        stderr=log,
    )
    identity = process.identify(child.pid)
    if identity is None:
        raise RunFailed(f"{name} ended as soon as it was started", hint=f"see {log}")
    lab.journal.append("process", name=name, node=node, pid=identity.pid, ticks=identity.start_ticks)
