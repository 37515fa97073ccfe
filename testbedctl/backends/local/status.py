"""What a lab looks like: documents for machines, tables for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from testbedctl.backends.local.lab import PROMETHEUS_URL, Lab
from testbedctl.backends.local.plan import Plan
from testbedctl.errors import RunFailed

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

CONTROLLER_ANSWERS_WITHIN_S = 3.0


def plan_document(plan: Plan) -> dict[str, Any]:
    """Everything that ``up`` would make."""
    return {
        "lab": plan.lab,
        "nodes": [
            {
                "node": n.key,
                "kind": n.kind,
                "namespace": n.netns,
                "control_group": n.group,
                "address": n.address,
                "interfaces": plan.addresses(n.key),
            }
            for n in plan.nodes.values()
        ],
        "cables": [
            {"ends": [f"{e.node}:{e.interface}" for e in (c.a, c.b)], "mtu": c.mtu, "rate_bps": c.rate_bps,
             "delay_s": c.delay_s}
            for c in plan.cables
        ],
        "tunnels": [
            {"node": t.node, "interface": t.interface, "vni": t.vni, "local": t.local, "remote": t.remote}
            for t in plan.tunnels
        ],
        "bridges": [
            {"node": s.node, "bridge": b.name, "ports": list(b.ports), "controlled": s.controlled}
            for s in plan.switches
            for b in s.bridges
        ],
    }  # fmt: skip


def plan_table(plan: Plan) -> Group:
    """The same for a person, at 80 columns."""
    from rich.console import Group
    from rich.table import Table

    nodes = Table(
        "node", "kind", "CPU", "RAM", "address", title=f"lab {plan.lab}", title_justify="left", box=None
    )
    for node in plan.nodes.values():
        vnf = plan.vnfs.get(node.key)
        cpu = f"{vnf.flavour.vcpus:g}" if vnf else ""
        ram = f"{vnf.flavour.ram_mib} MiB" if vnf else ""
        nodes.add_row(node.key, node.kind, cpu, ram, _where(node.address, plan.addresses(node.key)))
    summary = (
        f"{len(plan.nodes)} namespaces, {len(plan.cables)} cables, {len(plan.tunnels)} tunnel ends, "
        f"{sum(len(s.bridges) for s in plan.switches)} Open vSwitch bridges"
    )
    return Group(nodes, summary)


def document(lab: Lab) -> dict[str, Any]:
    """The lab as it is now."""
    programs = [
        {"name": d.name, "node": d.node, "pid": d.process.pid, "alive": d.alive()} for d in lab.daemons()
    ]
    whole = lab.is_up and all(p["alive"] for p in programs)
    shares: list[dict[str, Any]] = []
    problem = None
    if whole and lab.plan.vnfs:
        try:
            shares = [asdict(share) for share in lab.controller(CONTROLLER_ANSWERS_WITHIN_S).shares()]
        except RunFailed as error:
            whole, problem = False, str(error)
    return {
        "lab": lab.name,
        "state": "up" if whole else "degraded" if lab.is_up else "incomplete",
        "created": lab.header["created"],
        "nodes": [
            {"node": n.key, "kind": n.kind, "namespace": n.netns, "address": n.address,
             "interfaces": lab.plan.addresses(n.key)}
            for n in lab.plan.nodes.values()
        ],
        "programs": programs,
        "shares": shares,
        "problem": problem,
        "prometheus": PROMETHEUS_URL if lab.plan.vnfs else None,
    }  # fmt: skip


def _where(address: str | None, interfaces: dict[str, list[str]]) -> str:
    """How a node is reached: in the management network, or a plain host at its own addresses."""
    return address or ", ".join(a.partition("/")[0] for its in interfaces.values() for a in its)


def table(described: dict[str, Any]) -> Group:
    """``document`` for a person, at 80 columns."""
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    nodes = Table("node", "kind", "address", "programs", box=None)
    for node in described["nodes"]:
        its = [p for p in described["programs"] if p["node"] == node["node"]]
        nodes.add_row(node["node"], node["kind"], _where(node["address"], node["interfaces"]), _programs(its))
    parts: list[Table | str] = [f"lab {described['lab']}: [bold]{described['state']}[/]", nodes]
    parts += [f"share {s['id']}: {s['source']} → {s['target']}" for s in described["shares"]]
    if described["problem"]:
        parts.append(f"[red]{escape(described['problem'])}[/]")
    return Group(*parts)


def _programs(programs: list[dict[str, Any]]) -> str:
    names = (
        p["name"].split(" ")[0] if p["alive"] else f"[red]{p['name'].split(' ')[0]} ended[/]"
        for p in programs
    )
    return ", ".join(names)
