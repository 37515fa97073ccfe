"""The programs that a lab runs beside its switches: controller, telemetry, engines, web pages, sinks."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from testbedctl.backends.local.lab import PROMETHEUS_PORT, USER_PROGRAM, Lab
from testbedctl.backends.local.plan import (
    MANAGEMENT,
    MANAGEMENT_PREFIX,
    Plan,
    memory_limit_bytes,
    tunnel_port,
)
from testbedctl.backends.local.switches import OPENFLOW_PORT, instance
from testbedctl.host import netns
from testbedctl.telemetry.config import AgentConfig, Cgroups, Limits, SwitchControl, VnfSources
from testbedctl.units import bps

FIRST_AGENT_PORT = 9101
NODE_EXPORTER_PORT = 9100
WEB_PORT = 80
SINK_PORT = 5201  # iperf3's own, for measurements by hand; cameras have a port of their own


@dataclass(frozen=True)
class Program:
    """A program to be started on a node."""

    name: str
    node: str
    argv: list[str]


def module(name: str, *arguments: str) -> list[str]:
    """How to run a module of ours with the interpreter that runs us."""
    # -P: a folder in the user's working directory must not be taken for our package
    return [sys.executable, "-P", "-m", name, *arguments]


def programs(lab: Lab, plan: Plan) -> list[Program]:
    """Everything but the switches, slow starters first."""
    if not plan.vnfs:
        return []
    return [
        *_inspection_engines(lab, plan),
        _controller(lab),
        *_agents(lab, plan),
        *_monitoring(lab),
        *_web_pages(plan),
        *_sinks(plan),
        *_user_programs(plan),
    ]


def _controller(lab: Lab) -> Program:
    argv = module(
        "testbedctl.sdn",
        "--listen", "10.255.0.1", "--port", str(OPENFLOW_PORT),
        "--northbound", f"unix:{lab.northbound}",
        "--token-file", str(lab.token_file),
    )  # fmt: skip
    return Program("controller", MANAGEMENT, argv)


def _inspection_engines(lab: Lab, plan: Plan) -> list[Program]:
    wanted = f"inbound and ip and not udp port 4789 and not net {MANAGEMENT_PREFIX}"
    return [
        Program(
            f"dpi {key}",
            key,
            module(
                "testbedctl.vnf.dpi",
                "--mode", vnf.spec.dpi,
                "--stats", str(lab.dpi_stats(key)),
                "--interface", "any",
                "--filter", wanted,
            ),
        )
        for key, vnf in plan.vnfs.items()
        if vnf.spec.type == "vdpi" and vnf.spec.dpi != "off"
    ]  # fmt: skip


def agent_endpoints(plan: Plan) -> dict[str, tuple[str, int]]:
    """Where the monitoring agent of each domain listens, in the management namespace."""
    domains = [d for d in plan.testbed.domains if any(v.spec.domain == d for v in plan.vnfs.values())]
    return {domain: ("127.0.0.1", FIRST_AGENT_PORT + n) for n, domain in enumerate(domains)}


def agent_config_path(lab: Lab, domain: str) -> Path:
    """The configuration of a domain's monitoring agent."""
    return lab.state / f"agent.{domain}.json"


def agent_config(lab: Lab, plan: Plan, domain: str) -> AgentConfig:
    """What a domain's monitoring agent watches; that of the first domain tells the lab's decisions too."""
    return AgentConfig(
        lab=lab.name,
        domain=domain,
        listen=agent_endpoints(plan)[domain],
        vnfs=tuple(_sources(lab, plan, key) for key, vnf in plan.vnfs.items() if vnf.spec.domain == domain),
        decisions=str(lab.decisions) if domain == next(iter(agent_endpoints(plan))) else None,
    )


def _sources(lab: Lab, plan: Plan, key: str) -> VnfSources:
    vnf, group = plan.vnfs[key], plan.nodes[key].group
    assert group is not None  # every VNF has one
    has_switch = vnf.spec.type in ("van", "vdpi")
    return VnfSources(
        key=key,
        service=vnf.service,
        vnf=vnf.name,
        vnf_type=vnf.spec.type,
        vnf_class=vnf.spec.vnf_class,
        cgroups=Cgroups.of(lab.hierarchy, group),
        interfaces=_interfaces(plan, key),
        limits=Limits(
            cpu_cores=vnf.flavour.vcpus,
            memory_bytes=memory_limit_bytes(vnf.flavour),
            storage_write_bytes_per_second=bps(vnf.flavour.storage_write_mbps) / 8,
            network_bytes_per_second=bps(vnf.flavour.network_mbps) / 8,
        ),
        ovs=SwitchControl(control=str(instance(lab.runtime, key).control), bridge="br0")
        if has_switch
        else None,
        dpi_stats=str(lab.dpi_stats(key)) if vnf.spec.type == "vdpi" and vnf.spec.dpi != "off" else None,
        netns=f"{netns.NETNS_DIR}/{plan.nodes[key].netns}",
    )


def _interfaces(plan: Plan, key: str) -> tuple[str, ...]:
    """The interfaces at which a VNF's traffic enters or leaves it once."""
    if plan.vnfs[key].spec.type == "vsre":
        service = plan.services[plan.vnfs[key].service]
        return (tunnel_port(service.index),)
    ends = [end for cable in plan.cables for end in (cable.a, cable.b) if end.node == key]
    data = tuple(e.interface for e in ends if e.interface not in ("mgmt0", "core0", "edge0"))
    return data or ("mgmt0",)


def _agents(lab: Lab, plan: Plan) -> list[Program]:
    return [
        Program(
            f"agent {domain}",
            MANAGEMENT,
            module("testbedctl.telemetry.agent", "--config", str(agent_config_path(lab, domain))),
        )
        for domain in agent_endpoints(plan)
    ]


def _monitoring(lab: Lab) -> list[Program]:
    from testbedctl.telemetry.prometheus import node_exporter_argv, prometheus_argv

    return [
        Program("node-exporter", MANAGEMENT, node_exporter_argv(f"127.0.0.1:{NODE_EXPORTER_PORT}")),
        Program(
            "prometheus",
            MANAGEMENT,
            prometheus_argv(
                lab.state / "prometheus.yml", lab.state / "prometheus", f"10.255.0.1:{PROMETHEUS_PORT}"
            ),
        ),
    ]


def _web_pages(plan: Plan) -> list[Program]:
    found = []
    for key, vnf in plan.vnfs.items():
        if vnf.spec.type != "vwapp":
            continue
        argv = module(
            "testbedctl.vnf.webapp",
            "--listen", str(plan.nodes[key].address), "--port", str(WEB_PORT),
            "--prometheus", f"http://10.255.0.1:{PROMETHEUS_PORT}",
            "--service", vnf.service,
            "--cameras", plan.services[vnf.service].camera_prefix,
        )  # fmt: skip
        found.append(Program(f"web page {key}", key, argv))
    return found


def _sinks(plan: Plan) -> list[Program]:
    return [
        Program(f"sink {s.vsre}", s.vsre, ["iperf3", "-s", "-B", s.sink, "-p", str(SINK_PORT)])
        for s in plan.services.values()
    ]


def _user_programs(plan: Plan) -> list[Program]:
    return [
        Program(USER_PROGRAM + key, key, list(vnf.spec.command or ()))
        for key, vnf in plan.vnfs.items()
        if vnf.spec.type == "command"
    ]
