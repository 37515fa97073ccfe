"""A testbed as a graph in text: Mermaid and DOT. The picture of our own is in ``picture``."""

from __future__ import annotations

from collections.abc import Iterator

from testbedctl.spec.picture import svg
from testbedctl.spec.testbed import Testbed
from testbedctl.spec.topology import Edge, Node, Topology, topology

__all__ = ["dot", "mermaid", "svg"]


def mermaid(testbed: Testbed) -> str:
    """The testbed as a Mermaid flowchart, one subgraph per domain."""
    graph = topology(testbed)
    # Mermaid has reserved words ('end'), so nodes are numbered and names stand in quotes
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for domain, nodes in _by_domain(graph):
        indent = "    " if domain is None else "        "
        if domain is not None:
            lines.append(f'    subgraph domain-{domain}["{domain}"]')
        lines += [f"{indent}{ids[node.id]}{_mermaid_shape(node)}" for node in nodes]
        if domain is not None:
            lines.append("    end")
    lines += [f"    {ids[edge.source]} {_mermaid_arrow(edge)} {ids[edge.target]}" for edge in graph.edges]
    return "\n".join(lines) + "\n"


def dot(testbed: Testbed) -> str:
    """The testbed in Graphviz's DOT language, one cluster per domain."""
    graph = topology(testbed)
    lines = [f'graph "{testbed.name}" {{', "    rankdir=LR;", '    node [shape=box, fontname="sans-serif"];']
    for domain, nodes in _by_domain(graph):
        indent = "    " if domain is None else "        "
        if domain is not None:
            lines += [f'    subgraph "cluster_{domain}" {{', f'        label="{domain}";']
        lines += [f'{indent}"{node.id}" [label="{_label(node)}\\n{node.detail}"];' for node in nodes]
        if domain is not None:
            lines.append("    }")
    lines += [f'    "{edge.source}" -- "{edge.target}"{_dot_style(edge)};' for edge in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _by_domain(graph: Topology) -> Iterator[tuple[str | None, list[Node]]]:
    for domain in dict.fromkeys(node.domain for node in graph.nodes):
        yield domain, [node for node in graph.nodes if node.domain == domain]


def _label(node: Node) -> str:
    return node.id if node.service else node.title


def _mermaid_shape(node: Node) -> str:
    opened, closed = {"cameras": ("([", "])"), "switch": ("{{", "}}")}.get(node.kind, ("[", "]"))
    return f'{opened}"{_label(node)}<br/>{node.detail}"{closed}'


def _mermaid_arrow(edge: Edge) -> str:
    line = "-.-" if edge.shared else "---"
    return f'{line}|"{edge.label}"|' if edge.label else line


def _dot_style(edge: Edge) -> str:
    parts = [f'label="{edge.label}"'] if edge.label else []
    parts += ["style=dashed"] if edge.shared else []
    return f" [{', '.join(parts)}]" if parts else ""
