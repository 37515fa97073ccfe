"""A testbed as a picture: SVG of our own, so that no further program is needed to see a lab."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

from testbedctl.spec.layout import (
    BOX_HEIGHT,
    MARGIN,
    Box,
    Layout,
    Zone,
    label_width,
    plain_layout,
    service_layout,
)
from testbedctl.spec.testbed import Testbed
from testbedctl.spec.topology import Edge, Topology, topology

_SERVICE_COLOURS = ("#0b6fb8", "#c2571a", "#0a7d5a", "#a03a82", "#7a6a00", "#5b5bd6")
_ZONE_COLOURS = ("#e9f2fb", "#f1edfa", "#eaf6ef", "#fdf3e3")
_INK, _GREY, _LINE = "#1f2933", "#5f6c7b", "#b6c0cc"
_TOP = 92.0


def svg(testbed: Testbed) -> str:
    """The testbed as an SVG document: services by row, domains shaded, VXLAN tunnels with their VNI."""
    graph = topology(testbed)
    services = service_layout(testbed, graph, _TOP)
    plain = plain_layout(graph, services.bottom + 36 if services.boxes else _TOP)
    boxes = {box.node.id: box for box in services.boxes + plain.boxes}
    width = (
        max([520.0, *(box.right for box in boxes.values()), *(z.x + z.width for z in services.zones)])
        + MARGIN
    )
    lowest = plain.bottom if plain.boxes else services.bottom
    height = lowest + MARGIN + (34 if services.boxes else 0)
    root = _canvas(testbed, width, height)
    _draw_zones(root, testbed, services)
    colour = _service_colours(testbed)
    _draw_edges(root, graph, boxes, colour)
    for box in boxes.values():
        _draw_box(root, box, colour(box.node.service))
    if services.boxes:
        _draw_legend(root, height - MARGIN + 4, several=len(testbed.services) > 1)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _canvas(testbed: Testbed, width: float, height: float) -> ET.Element:
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "role": "img",
            "font-family": "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif",
        },
    )
    ET.SubElement(root, "title").text = f"Testbed {testbed.name}"
    _rect(root, 0, 0, width, height, fill="#ffffff", rx="10")
    _text(root, MARGIN, 42, testbed.name, size=20, weight="bold")
    room = int((width - 2 * MARGIN) / 7.2)
    line = " ".join(testbed.description.split())
    _text(root, MARGIN, 64, line if len(line) <= room else line[: room - 1] + "…", size=13, fill=_GREY)
    return root


def _service_colours(testbed: Testbed) -> Callable[[str | None], str]:
    order = {name: index for index, name in enumerate(testbed.services)}
    return lambda name: _SERVICE_COLOURS[order[name] % len(_SERVICE_COLOURS)] if name in order else _GREY


def _draw_zones(root: ET.Element, testbed: Testbed, layout: Layout) -> None:
    for zone in layout.zones:
        fill = _ZONE_COLOURS[testbed.domains.index(zone.domain) % len(_ZONE_COLOURS)]
        _rect(root, zone.x, zone.y, zone.width, zone.height, fill=fill, rx="12")
        _zone_name(root, zone)


def _zone_name(root: ET.Element, zone: Zone) -> None:
    _text(root, zone.x + 14, zone.y + 21, f"{zone.domain} domain", size=12, weight="bold", fill=_GREY)


def _draw_edges(
    root: ET.Element, graph: Topology, boxes: dict[str, Box], colour: Callable[[str | None], str]
) -> None:
    """Lines below, labels above them; each line has its own port on the sides of its boxes."""
    leaving, entering = _ports(graph, boxes, outgoing=True), _ports(graph, boxes, outgoing=False)
    labels: dict[tuple[str, str], tuple[float, float, str, str]] = {}
    for number, edge in sorted(enumerate(graph.edges), key=lambda pair: not pair[1].shared):
        source, target = boxes[edge.source], boxes[edge.target]
        if source.x > target.x:
            source, target = target, source
        paint = colour(edge.service)
        if source.x == target.x:
            _draw_beside(root, edge, (source, target), paint)
            x, y = source.x + source.width / 2, (source.middle + target.middle) / 2
        else:
            x, y = _draw_curve(root, edge, (source, target), (leaving[number], entering[number]), paint)
        if edge.label:
            # all tunnels into one vSRE have its VNI: one label where they meet
            key = (edge.target, edge.label) if edge.kind == "tunnel" else (edge.source, edge.target)
            labels[key] = (x, y, edge.label, paint)
    for x, y, label, paint in labels.values():
        _draw_label(root, x, y, label, paint)


def _draw_curve(
    root: ET.Element, edge: Edge, ends: tuple[Box, Box], ports: tuple[float, float], paint: str
) -> tuple[float, float]:
    """A line from the right side of one box to the left side of another; where its label stands."""
    (source, target), (y1, y2) = ends, ports
    x1, x2 = source.right, target.x
    if edge.kind == "tunnel":
        x2, y2 = target.x - 16 - label_width(edge.label), target.middle
    bend = (x2 - x1) / 2
    style = {"stroke-dasharray": "6 5", "stroke-width": "1.4"} if edge.shared else {"stroke-width": "2.2"}
    path = f"M{x1:g},{y1:g} C{x1 + bend:g},{y1:g} {x2 - bend:g},{y2:g} {x2:g},{y2:g}"
    line = ET.SubElement(root, "path", {"d": path, "fill": "none", "stroke": paint, **style})
    _name_line(line, edge)
    if edge.kind == "tunnel":
        last = {"x1": f"{x2:g}", "y1": f"{y2:g}", "x2": f"{target.x:g}", "y2": f"{y2:g}"}
        ET.SubElement(root, "line", {**last, "stroke": paint, "stroke-width": "2.2"})
        return x2 + label_width(edge.label) / 2, y2
    return (x1 + x2) / 2, (y1 + y2) / 2


def _draw_beside(root: ET.Element, edge: Edge, ends: tuple[Box, Box], paint: str) -> None:
    """A bow on the right of two boxes that stand in one column."""
    upper, lower = sorted(ends, key=lambda box: box.y)
    bulge = upper.right + 26
    path = f"M{upper.right:g},{upper.middle:g} C{bulge:g},{upper.middle:g} {bulge:g},{lower.middle:g} "
    path += f"{lower.right:g},{lower.middle:g}"
    line = ET.SubElement(root, "path", {"d": path, "fill": "none", "stroke": paint, "stroke-width": "2.2"})
    _name_line(line, edge)


def _name_line(line: ET.Element, edge: Edge) -> None:
    ET.SubElement(line, "title").text = f"{edge.source} – {edge.target} {edge.label}".strip()


def _ports(graph: Topology, boxes: dict[str, Box], *, outgoing: bool) -> dict[int, float]:
    """The y at which each edge (by number) leaves its left box, or enters its right one."""
    at: dict[str, list[tuple[float, int]]] = {}
    for number, edge in enumerate(graph.edges):
        left, right = sorted((boxes[edge.source], boxes[edge.target]), key=lambda box: box.x)
        near, far = (left, right) if outgoing else (right, left)
        at.setdefault(near.node.id, []).append((far.middle, number))
    ports: dict[int, float] = {}
    for name, edges in at.items():
        spread = min(11.0, (BOX_HEIGHT - 14) / len(edges))
        for position, (_, number) in enumerate(sorted(edges)):
            ports[number] = boxes[name].middle + (position - (len(edges) - 1) / 2) * spread
    return ports


def _draw_label(root: ET.Element, x: float, y: float, label: str, paint: str) -> None:
    width = label_width(label)
    _rect(root, x - width / 2, y - 11, width, 22, fill="#ffffff", stroke=paint, rx="11")
    _text(root, x, y + 4, label, size=11.5, fill=paint, weight="bold", anchor="middle")


def _draw_box(root: ET.Element, box: Box, paint: str) -> None:
    group = ET.SubElement(root, "g")
    ET.SubElement(group, "title").text = f"{box.node.id}: {box.node.detail}"
    radius = "25" if box.node.kind == "cameras" else "6"
    fill = "#f4f6f8" if box.node.kind == "switch" else "#ffffff"
    _rect(group, box.x, box.y, box.width, BOX_HEIGHT, fill=fill, stroke=paint, rx=radius)
    if box.node.kind != "cameras":
        _rect(group, box.x, box.y + 8, 4, BOX_HEIGHT - 16, fill=paint)
    middle = box.x + box.width / 2
    _text(group, middle, box.y + 21, box.node.title, size=13.5, weight="bold", anchor="middle")
    _text(group, middle, box.y + 38, box.node.detail, size=11.5, fill=_GREY, anchor="middle")


def _draw_legend(root: ET.Element, y: float, *, several: bool) -> None:
    x = float(MARGIN)
    own = ("a service's own way", {"stroke-width": "2.2"})
    shared = ("in use only while a vDPI is shared", {"stroke-dasharray": "6 5", "stroke-width": "1.4"})
    for words, style in (own, shared) if several else (own,):
        at = {"x1": f"{x:g}", "x2": f"{x + 40:g}", "y1": f"{y:g}", "y2": f"{y:g}"}
        ET.SubElement(root, "line", {**at, "stroke": _GREY, **style})
        _text(root, x + 50, y + 4, words, size=11.5, fill=_GREY)
        x += 80 + 7 * len(words)
    _draw_label(root, x + 22, y, "VNI", _GREY)
    _text(root, x + 52, y + 4, "VXLAN network of a service", size=11.5, fill=_GREY)


def _rect(parent: ET.Element, x: float, y: float, width: float, height: float, **style: str) -> None:
    at = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}"}
    ET.SubElement(parent, "rect", at | style)


def _text(
    parent: ET.Element,
    x: float,
    y: float,
    words: str,
    *,
    size: float,
    fill: str = _INK,
    weight: str = "normal",
    anchor: str = "start",
) -> None:
    at = {"x": f"{x:g}", "y": f"{y:g}", "font-size": f"{size:g}", "font-weight": weight}
    ET.SubElement(parent, "text", {**at, "fill": fill, "text-anchor": anchor}).text = words
