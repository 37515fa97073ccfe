"""Where the nodes of a picture stand: services in rows and columns, hosts and switches in layers.

Positions are pixels from the top left corner of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from testbedctl.spec.testbed import Testbed
from testbedctl.spec.topology import Edge, Node, Topology

BOX_HEIGHT = 50
MARGIN = 32
_COLUMNS = ("cameras", "van", "vdpi", "vsre", "vwapp", "command")
_GAP_BEFORE = {"cameras": 0, "van": 64, "vdpi": 130, "vsre": 210, "vwapp": 56, "command": 56}
_STACK_GAP = 14
_ROW_GAP = 30
_ZONE_PAD = 16
_ZONE_HEAD = 34
_LAYER_GAP = 96.0


@dataclass(frozen=True)
class Box:
    """A node's rectangle."""

    node: Node
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        """The y of the middle."""
        return self.y + BOX_HEIGHT / 2

    @property
    def right(self) -> float:
        """The x of the right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower side."""
        return self.y + BOX_HEIGHT


@dataclass(frozen=True)
class Zone:
    """The shaded rectangle of a domain."""

    domain: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """All boxes and zones, and the lower end of what they take."""

    boxes: list[Box]
    zones: list[Zone]
    bottom: float


def box_width(node: Node) -> float:
    """The width that a node's two lines of text need, estimated from a wide sans-serif font."""
    return max(124.0, 8.6 * len(node.title) + 34, 6.9 * len(node.detail) + 34)


def label_width(label: str) -> float:
    """The width of a label on a line."""
    return 8.0 * len(label) + 12


def service_layout(testbed: Testbed, graph: Topology, top: float) -> Layout:
    """Services as rows: cameras, vAN, vDPI, vSRE, vWapp, commands; domains as zones behind them."""
    nodes = [node for node in graph.nodes if node.service]
    spans = _column_spans(nodes)
    boxes: list[Box] = []
    zones: list[Zone] = []
    for signature, names in groupby(testbed.services, key=lambda name: _signature(nodes, name)):
        first = top + _ZONE_HEAD
        for name in names:
            row = [node for node in nodes if node.service == name]
            placed, bottom = _row(row, spans, first)
            boxes += placed
            first = bottom + _ROW_GAP
        height = first - _ROW_GAP + _ZONE_PAD - top
        zones += _zones(signature, spans, top, height)
        top += height + _ROW_GAP
    return Layout(boxes, zones, top - _ROW_GAP if zones else top)


def plain_layout(graph: Topology, top: float) -> Layout:
    """Hosts and switches in layers by their distance from an end of the network, left to right."""
    nodes = {node.id: node for node in graph.nodes if node.service is None}
    cables = [edge for edge in graph.edges if edge.kind == "cable"]
    gap = max([_LAYER_GAP, *(label_width(cable.label) + 40 for cable in cables if cable.label)])
    boxes: list[Box] = []
    for layers in _components(list(nodes), cables):
        tallest = max(len(layer) for layer in layers)
        height = tallest * (BOX_HEIGHT + _STACK_GAP) - _STACK_GAP
        x = float(MARGIN)
        for layer in layers:
            width = max(box_width(nodes[name]) for name in layer)
            y = top + (height - len(layer) * (BOX_HEIGHT + _STACK_GAP) + _STACK_GAP) / 2
            for position, name in enumerate(layer):
                boxes.append(Box(nodes[name], x, y + position * (BOX_HEIGHT + _STACK_GAP), width))
            x += width + gap
        top += height + _ROW_GAP
    return Layout(boxes, [], top - _ROW_GAP if boxes else top)


def _column_spans(nodes: list[Node]) -> dict[str, tuple[float, float]]:
    """Left side and width of each column that is in use."""
    spans: dict[str, tuple[float, float]] = {}
    x = float(MARGIN)
    for column in _COLUMNS:
        widths = [box_width(node) for node in nodes if node.kind == column]
        if widths:
            x += _GAP_BEFORE[column]
            spans[column] = (x, max(widths))
            x += max(widths)
    return spans


def _row(row: list[Node], spans: dict[str, tuple[float, float]], top: float) -> tuple[list[Box], float]:
    """The boxes of one service, each column centred, and the row's lower end."""
    cells = {column: [node for node in row if node.kind == column] for column in spans}
    height = max(len(cell) for cell in cells.values()) * (BOX_HEIGHT + _STACK_GAP) - _STACK_GAP
    boxes = []
    for column, cell in cells.items():
        y = top + (height - len(cell) * (BOX_HEIGHT + _STACK_GAP) + _STACK_GAP) / 2
        for position, node in enumerate(cell):
            boxes.append(
                Box(node, spans[column][0], y + position * (BOX_HEIGHT + _STACK_GAP), spans[column][1])
            )
    return boxes, top + height


def _signature(nodes: list[Node], service: str) -> tuple[tuple[str, str], ...]:
    """The domain of each column of a service; an empty vWapp cell counts as its neighbour's domain."""
    domains: dict[str, set[str]] = {}
    for node in nodes:
        if node.service == service and node.domain:
            domains.setdefault(node.kind, set()).add(node.domain)
    if "vwapp" not in domains:
        domains["vwapp"] = domains["vsre"]
    own = {column: next(iter(found)) for column, found in domains.items() if len(found) == 1}
    return tuple((column, own[column]) for column in _COLUMNS if column in own)


def _zones(
    signature: tuple[tuple[str, str], ...], spans: dict[str, tuple[float, float]], top: float, height: float
) -> list[Zone]:
    """One zone for each run of neighbouring columns in one domain."""
    zones = []
    used = [pair for pair in signature if pair[0] in spans]
    for domain, run in groupby(used, key=lambda pair: pair[1]):
        columns = [column for column, _ in run]
        left = spans[columns[0]][0] - _ZONE_PAD
        right = spans[columns[-1]][0] + spans[columns[-1]][1] + _ZONE_PAD
        zones.append(Zone(domain, left, top, right - left, height))
    return zones


def _components(names: list[str], cables: list[Edge]) -> list[list[list[str]]]:
    """The layers of each connected part, from the first node that has at most one cable."""
    beside: dict[str, list[str]] = {name: [] for name in names}
    for cable in cables:
        beside[cable.source].append(cable.target)
        beside[cable.target].append(cable.source)
    parts: list[list[list[str]]] = []
    seen: set[str] = set()
    for start in sorted(names, key=lambda name: len(beside[name]) > 1):
        layer = [] if start in seen else [start]
        if layer:
            parts.append([])
        while layer:
            seen.update(layer)
            parts[-1].append(layer)
            layer = list(dict.fromkeys(n for name in layer for n in beside[name] if n not in seen))
    return parts
