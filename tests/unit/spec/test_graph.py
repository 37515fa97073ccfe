"""Pictures of a testbed: every node and link is in them, nothing overlaps, nothing is smuggled in."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from testbedctl.spec.graph import dot, mermaid, svg
from testbedctl.spec.layout import BOX_HEIGHT, plain_layout, service_layout
from testbedctl.spec.loader import load_testbed
from testbedctl.spec.testbed import Testbed
from testbedctl.spec.topology import topology

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ["slice-sharing", "four-vdpis", "line"]
MIXED: dict[str, Any] = {
    "name": "mixed",
    "description": "<script>alert('x')</script> & \"quotes\" --> ]]>",
    "domains": ["edge", "core", "cloud"],
    "flavours": {"f": {"vcpus": 0.5}},
    "services": {
        "a-service-with-a-very-long-name": {
            "vni": 16777215,
            "vnfs": {
                "van": {"type": "van", "domain": "edge", "flavour": "f"},
                "one-vdpi-with-a-very-long-name": {"type": "vdpi", "domain": "edge", "flavour": "f"},
                "d2": {"type": "vdpi", "domain": "edge", "flavour": "f"},
                "vsre": {"type": "vsre", "domain": "core", "flavour": "f"},
                "cache": {"type": "command", "domain": "cloud", "flavour": "f", "command": ["redis-server"]},
            },
        }
    },
    "hosts": {"end": {}, "graph": {}, "lone": {}},
    "switches": {"s1": {}, "s2": {}},
    "links": [
        {"ends": ["end", "s1"]},
        {"ends": ["s1", "s2"], "rate_mbps": 100, "delay_ms": 2},
        {"ends": ["s2", "graph"]},
        {"ends": ["end", "graph"]},
        {"ends": ["s1", "graph"]},
    ],
}


def mixed() -> Testbed:
    return Testbed.model_validate(MIXED)


def test_every_van_reaches_every_vdpi_and_every_vdpi_each_vsre() -> None:
    edges = {(edge.source, edge.target): edge for edge in topology(load_testbed("four-vdpis")).edges}
    services = ("station", "market", "school", "harbour")
    for one in services:
        for other in services:
            assert edges[f"{one}/gate", f"{other}/scan"].shared is (one != other)
            assert edges[f"{other}/scan", f"{one}/see"].label == f"VNI {2001 + services.index(one)}"
    assert len(edges) == 4 + 16 + 16 + 2


@pytest.mark.parametrize("testbed", [*map(load_testbed, NAMES), mixed()], ids=lambda t: t.name)
def test_the_picture_shows_every_node_and_link(testbed: Testbed) -> None:
    root = ET.fromstring(svg(testbed))
    graph = topology(testbed)
    titles = [element.text for element in root.iter(f"{SVG}title")]
    assert {f"{node.id}: {node.detail}" for node in graph.nodes} <= set(titles)
    beside = [edge for edge in graph.edges if f"{edge.source} – {edge.target} {edge.label}".strip() in titles]
    assert len(beside) == len(graph.edges)
    words = {element.text for element in root.iter(f"{SVG}text")}
    assert {edge.label for edge in graph.edges if edge.label} <= words
    assert {f"{node.domain} domain" for node in graph.nodes if node.domain} <= words


@pytest.mark.parametrize("testbed", [*map(load_testbed, NAMES), mixed()], ids=lambda t: t.name)
def test_no_box_lies_over_another_or_outside(testbed: Testbed) -> None:
    graph = topology(testbed)
    services = service_layout(testbed, graph, 90)
    boxes = services.boxes + plain_layout(graph, services.bottom + 30).boxes
    assert len(boxes) == len(graph.nodes)
    for one, other in combinations(boxes, 2):
        apart = one.right < other.x or other.right < one.x or one.bottom < other.y or other.bottom < one.y
        assert apart, (one, other)
    _, _, width, height = map(float, ET.fromstring(svg(testbed)).attrib["viewBox"].split())
    assert all(box.x >= 0 and box.right <= width and box.y >= 0 and box.bottom <= height for box in boxes)


def test_a_zone_holds_the_boxes_of_its_domain() -> None:
    testbed = load_testbed("slice-sharing")
    layout = service_layout(testbed, topology(testbed), 90)
    zones = {zone.domain: zone for zone in layout.zones}
    assert list(zones) == ["edge", "core"]
    for box in layout.boxes:
        inside = [
            zone.domain
            for zone in layout.zones
            if zone.x <= box.x and box.right <= zone.x + zone.width and zone.y <= box.y
            and box.y + BOX_HEIGHT <= zone.y + zone.height
        ]  # fmt: skip
        assert inside == ([box.node.domain] if box.node.domain else [])


def test_a_line_is_drawn_as_a_line() -> None:
    testbed = load_testbed("line")
    boxes = sorted(plain_layout(topology(testbed), 0).boxes, key=lambda box: box.x)
    assert [box.node.id for box in boxes] == ["left", "near", "far", "right"]
    assert len({box.y for box in boxes}) == 1
    assert all(one.right < other.x for one, other in pairwise(boxes))


def test_text_of_a_user_is_text_in_the_picture() -> None:
    drawn = svg(mixed())
    assert "<script" not in drawn
    assert any(
        MIXED["description"][:20] in (text.text or "") for text in ET.fromstring(drawn).iter(f"{SVG}text")
    )


def test_reserved_words_are_no_node_ids() -> None:
    """Mermaid takes a bare ``end`` for the end of a subgraph, DOT a bare ``graph`` for a keyword."""
    assert '["end<br/>host"]' in mermaid(mixed())
    assert '"graph" [label="graph\\nhost"];' in dot(mixed())


def test_mermaid_and_dot_have_every_link_and_domain() -> None:
    testbed = load_testbed("slice-sharing")
    edges = topology(testbed).edges
    for text, line, domain in (
        (mermaid(testbed), (" ---", " -.-"), "subgraph domain-edge"),
        (dot(testbed), (" -- ",), 'subgraph "cluster_edge"'),
    ):
        assert sum(any(mark in row for mark in line) for row in text.splitlines()) == len(edges)
        assert domain in text and text.count("VNI 101") == 2


def test_drawing_is_the_same_each_time() -> None:
    assert svg(load_testbed("four-vdpis")) == svg(load_testbed("four-vdpis"))
