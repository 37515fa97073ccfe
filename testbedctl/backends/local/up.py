"""Brings a lab up: every phase is journaled before it begins, and undone if it fails."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable
from functools import partial
from threading import Event

from testbedctl.backends.local import down, health, network, switches
from testbedctl.backends.local.daemons import agent_config, agent_config_path, agent_endpoints, programs
from testbedctl.backends.local.lab import Lab
from testbedctl.backends.local.plan import Plan, memory_limit_bytes
from testbedctl.backends.local.planner import plan
from testbedctl.errors import Foreign, HostUnfit, Interrupted, RunFailed, UsageError
from testbedctl.host import cgroup, netns, paths, process, requirements, settings
from testbedctl.host.interruption import deferred
from testbedctl.host.journal import Journal, boot_id
from testbedctl.spec.testbed import Testbed

SOCKET_BUFFER_BYTES = 8 * 1024 * 1024
"""With the kernel's default of 208 KiB a user-space switch loses packets on an idle machine."""

ENOUGH_DISK_BYTES = 512 * 1024

Progress = Callable[[str], None]


def up(testbed: Testbed, name: str | None, *, progress: Progress, wait_s: float = 0) -> Lab:
    """Bring the lab up and return it; what was begun is undone if anything fails or on Ctrl-C."""
    _check_host()
    resolved = plan(testbed, name)
    lab = Lab(resolved.lab)
    with lab.locked(wait_s):
        if lab.journal_file.exists():
            state = "is up already" if lab.is_up else "was begun and not finished"
            raise UsageError(f"the lab {lab.name} {state}", hint=f"testbedctl down --lab {lab.name}")
        _refuse_foreign(lab, resolved)
        try:
            _build(lab, resolved, progress)
        except BaseException as error:  # an interruption too must leave nothing behind
            full = _disk_is_full(lab)
            with deferred():  # a second Ctrl-C waits some tenths of a second
                progress("rolling back")
                down.take_down(lab)
            if full or isinstance(error, OSError):
                raise _storage_failure(lab, error, full=full) from error
            raise
    return lab


def _disk_is_full(lab: Lab) -> bool:
    return shutil.disk_usage(lab.lock.parent).free < ENOUGH_DISK_BYTES


def _storage_failure(lab: Lab, error: BaseException, *, full: bool) -> RunFailed:
    """Programs that find no space on the disk say anything, or nothing at all."""
    said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
    if not full:
        return RunFailed(f"cannot write the files of the lab {lab.name}: {said}")
    return RunFailed(
        f"no space is left on the disk of {lab.state.parent} ({said})",
        hint="free some, or set TESTBEDCTL_STATE to a directory elsewhere",
    )


def _check_host() -> None:
    missing = requirements.missing()
    if missing:
        raise HostUnfit("; ".join(missing), hint="run 'testbedctl doctor'")


def _refuse_foreign(lab: Lab, resolved: Plan) -> None:
    """Nothing of our name may stand in the way: it would be somebody else's, for we have no journal of it."""
    in_the_way = [f"network namespace {n.netns}" for n in resolved.nodes.values() if netns.exists(n.netns)]
    if cgroup.exists(lab.hierarchy, resolved.group):
        in_the_way.append(f"control group {resolved.group}")
    in_the_way += [f"directory {d}" for d in (lab.state, lab.runtime) if os.path.lexists(d)]
    if in_the_way:
        raise Foreign(
            f"in the way and not made by this lab: {', '.join(in_the_way)}",
            hint="remove it yourself if it is no longer needed, or choose another name with --lab",
        )


def _build(lab: Lab, resolved: Plan, progress: Progress) -> None:
    _begin(lab, resolved)
    with settings.locked():
        _join_host(lab, resolved, progress)
    with settings.raised(settings.EXPEDITED_RCU, 1):
        _create(lab, resolved, progress)
    health.wait_until_ready(lab, resolved, progress)
    if _disk_is_full(lab):
        raise RunFailed("nothing could be measured")
    lab.journal.append("up")


def _begin(lab: Lab, resolved: Plan) -> None:
    """Make the state directory with the journal's first record in it, so that it never lacks its owner."""
    if lab.moving.exists():  # of an `up` or `down` that was killed
        shutil.rmtree(lab.moving)
    lab.moving.mkdir(parents=True)
    lab.moving.chmod(0o755)
    lab.journal = Journal(lab.moving / lab.journal_file.name)
    lab.journal.append(
        "lab", lab=lab.name, boot_id=boot_id(), created=time.time(), testbed=_document(resolved.testbed)
    )
    (lab.moving / lab.logs.name).mkdir()
    lab.moving.rename(lab.state)
    lab.journal = Journal(lab.journal_file)


def _join_host(lab: Lab, resolved: Plan, progress: Progress) -> None:
    """What this lab has in common with others: from its mark on, it relies on the raised settings."""
    lab.journal.append("directory", path=str(lab.runtime))
    lab.runtime.mkdir(parents=True, exist_ok=True)
    lab.runtime.chmod(0o700)
    (lab.runtime / paths.MARK).write_text(f"{lab.state}\n")
    for setting in settings.SOCKET_BUFFERS:
        settings.raise_to(setting, SOCKET_BUFFER_BYTES)
    progress("control groups")
    lab.journal.append("group", group=resolved.group)
    _create_groups(lab, resolved)


def _create(lab: Lab, resolved: Plan, progress: Progress) -> None:
    journal = lab.journal
    progress("namespaces and links")
    journal.append("namespaces", names=[n.netns for n in resolved.nodes.values()])
    network.create(resolved)
    progress("programs")
    _write_configuration(lab, resolved)
    start = partial(_start, lab, resolved)
    for program in programs(lab, resolved):
        start(program.name, program.node, program.argv, {})
    progress("switches")
    with deferred() as interrupted:  # its threads must have ended before anything is rolled back
        listens = partial(_controller_listens, lab, interrupted)
        switches.start(resolved, lab.runtime, listens, start)


def _controller_listens(lab: Lab, interrupted: Event) -> bool:
    if interrupted.is_set():
        raise Interrupted("interrupted")
    health.check_alive(lab)
    return lab.northbound.exists()


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
            memory_bytes=memory_limit_bytes(vnf.flavour) if vnf else None,
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
    log = health.log_file(lab, name)
    with deferred():  # what was started is journaled, or a rollback could miss it
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
