"""When a lab counts as up: every program answers, every VNF is measured, every data path carries."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from testbedctl.backends.local.daemons import (
    NODE_EXPORTER_PORT,
    SINK_PORT,
    WEB_PORT,
    agent_endpoints,
)
from testbedctl.backends.local.lab import PROMETHEUS_URL, USER_PROGRAM, Lab
from testbedctl.backends.local.plan import MANAGEMENT, Plan, ServicePlan, vdpi_port
from testbedctl.backends.local.probe import NotReady, ping, tcp_answers, wait_until
from testbedctl.errors import RunFailed
from testbedctl.host import interruption
from testbedctl.sdn.rules import Routes
from testbedctl.spec.testbed import Ready
from testbedctl.telemetry import inspection
from testbedctl.telemetry.prometheus import Target

READY_WITHIN_S = 60.0


def wait_until_ready(lab: Lab, plan: Plan, progress: Callable[[str], None]) -> None:
    """Return when everything works; raises ``RunFailed`` naming what does not, with its last words."""
    deadline = time.monotonic() + READY_WITHIN_S
    if plan.vnfs:
        _wait_for_services(lab, plan, progress, deadline)
    check_alive(lab)


def _wait_for_services(lab: Lab, plan: Plan, progress: Callable[[str], None], deadline: float) -> None:
    alive = partial(check_alive, lab)
    progress("controller")
    _connect(lab, plan, deadline)
    progress("data paths")
    for service in plan.services.values():
        path_carries = partial(_carries, plan, service)
        wait_until(path_carries, f"the data path of {service.name}", deadline, alive)
    for what, check in _vnf_checks(lab, plan):
        progress(what)
        wait_until(check, what, deadline, alive)
    for key, vnf in plan.vnfs.items():
        if vnf.spec.ready:
            progress(f"the command of {key}")
            _wait_for_command(lab, plan, key, vnf.spec.ready)
    progress("telemetry")
    for domain in agent_endpoints(plan):
        reads_all = partial(_agent_reads_all, lab, plan, domain)
        wait_until(reads_all, f"the monitoring agent of {domain}", deadline, alive)
    wait_until(partial(_prometheus_answers, lab), "Prometheus", deadline, alive)


def scrape_targets(plan: Plan) -> dict[str, Any]:
    """What Prometheus scrapes: agents by domain, the host's exporter, and the metrics that services name."""
    extra = {
        f"{service}/{name}": Target(
            f"{plan.nodes[f'{service}/{metric.vnf}'].address}:{metric.port}",
            metric.path,
            {"service": service, "vnf": metric.vnf, "domain": spec.vnfs[metric.vnf].domain},
        )
        for service, spec in plan.testbed.services.items()
        for name, metric in spec.metrics.items()
    }
    return {
        "lab": plan.lab,
        "agents": {domain: f"{host}:{port}" for domain, (host, port) in agent_endpoints(plan).items()},
        "node_exporter": f"127.0.0.1:{NODE_EXPORTER_PORT}",
        "extra": extra,
    }


def check_alive(lab: Lab) -> None:
    """Raise ``RunFailed`` with the last words of a program that has ended."""
    for daemon in lab.daemons():
        if not daemon.alive():
            raise RunFailed(f"{daemon.name} ended while the lab came up: {last_words(lab, daemon.name)}")


def log_file(lab: Lab, program: str) -> Path:
    """Where a program of the lab writes what it says."""
    return lab.logs / f"{program.replace(' ', '.').replace('/', '.')}.log"


def last_words(lab: Lab, program: str) -> str:
    """The last line that a program wrote to its log."""
    log = log_file(lab, program)
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"


def _connect(lab: Lab, plan: Plan, deadline: float) -> None:
    """Wait for the controller and its switches, and lay the base routes of every service."""
    controller = lab.controller()
    vdpis = tuple(vdpi_port(n) for n in range(1, len(plan.of_type("vdpi")) + 1))
    for service in plan.services.values():
        controller.wait_for(service.dpid, ("cameras", *vdpis), max(1.0, deadline - time.monotonic()))
        routes = Routes(
            camera_port="cameras",
            prefix=service.camera_prefix,
            destination=service.sink_prefix,
            default_port=vdpi_port(plan.vdpi_number(service.vdpi)),
            vdpi_ports=vdpis,
        )
        controller.put_routes(service.dpid, routes)


def _carries(plan: Plan, service: ServicePlan) -> bool:
    """Whether an echo goes camera → vAN → vDPI → tunnel → vSRE and back."""
    return ping(plan.nodes[service.cameras].netns, service.gateway, service.sink) is not None


def _vnf_checks(lab: Lab, plan: Plan) -> list[tuple[str, Callable[[], bool]]]:
    """A readiness check for every program inside a VNF."""
    management = plan.nodes[MANAGEMENT].netns
    checks: list[tuple[str, Callable[[], bool]]] = []
    for key, vnf in plan.vnfs.items():
        address = plan.nodes[key].address or ""
        if vnf.spec.type == "vdpi" and vnf.spec.dpi != "off":
            checks.append((f"the inspection engine of {key}", partial(_engine_lives, lab.dpi_stats(key))))
        elif vnf.spec.type == "vwapp":
            checks.append((f"the web page of {key}", partial(tcp_answers, management, address, WEB_PORT)))
        elif vnf.spec.type == "vsre":
            sink = plan.services[vnf.service].sink
            checks.append((f"the sink {key}", partial(tcp_answers, plan.nodes[key].netns, sink, SINK_PORT)))
    return checks


def _engine_lives(stats: Path) -> bool:
    """Whether an inspection engine wrote a fresh heartbeat."""
    try:
        inspection.read(str(stats))
    except (OSError, ValueError):  # not written yet, or too old: it is not ready
        return False
    return True


def _wait_for_command(lab: Lab, plan: Plan, key: str, ready: Ready) -> None:
    """Wait for a user's own program; it has as long as its spec says."""
    deadline = time.monotonic() + ready.timeout_s
    management, address = plan.nodes[MANAGEMENT].netns, plan.nodes[key].address or ""
    if ready.tcp:
        check = partial(tcp_answers, management, address, ready.tcp)
    else:
        check = partial(_exits_well, lab, key, ready.command or [], deadline)
    try:
        wait_until(check, f"the command of {key}", deadline, partial(check_alive, lab))
    except NotReady as error:
        words = last_words(lab, USER_PROGRAM + key)
        raise NotReady(f"{error.message} ({ready.timeout_s:g} s): {words}") from error


def _exits_well(lab: Lab, key: str, argv: list[str], deadline: float) -> bool:
    """Whether a check of the user's exits with 0; what it says goes to the program's own log."""
    log = log_file(lab, USER_PROGRAM + key)
    check = lab.exec(key, argv, stdout=log, stderr=log)
    try:
        return check.wait(timeout=max(0.0, deadline - time.monotonic())) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        check.kill()
        check.wait()


def _agent_reads_all(lab: Lab, plan: Plan, domain: str) -> bool:
    """Whether a domain's monitoring agent can read every source of every VNF of its domain."""
    host, port = agent_endpoints(plan)[domain]
    with lab.inside_management():
        connection = http.client.HTTPConnection(host, port, timeout=2)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        except OSError:  # it does not listen yet
            return False
        finally:
            connection.close()
    readable = sum(line.startswith("vnf_up{") and float(line.rpartition(" ")[2]) == 1 for line in lines)
    return readable == sum(vnf.spec.domain == domain for vnf in plan.vnfs.values())


def _prometheus_answers(lab: Lab) -> bool:
    from testbedctl.telemetry.prometheus import ready

    with lab.inside_management():
        return ready(PROMETHEUS_URL)


def wait_until_scraped(lab: Lab, within_s: float = 15.0) -> None:
    """Return when Prometheus holds a sample of every target; its first comes some 5 s after its start."""
    from testbedctl.telemetry.prometheus import samples

    wanted = scrape_targets(lab.plan)
    targets = len(wanted["agents"]) + 1 + len(wanted["extra"])

    def scraped() -> bool:
        with lab.inside_management():
            found = samples(PROMETHEUS_URL, "up", 3)
        answered = {tuple(sorted(s.labels.items())) for s in found if s.value == 1}
        return len(answered) == targets

    def still_wanted() -> None:
        interruption.check()
        check_alive(lab)

    wait_until(scraped, "Prometheus's first scrape", time.monotonic() + within_s, still_wanted)
