"""Reads the documents that clients send, and names every field that is wrong, all at once."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from testbedctl.sdn.refusal import invalid
from testbedctl.sdn.rules import MAX_COOKIE, Camera, Pair, Routes

MAX_FLOWS = 10_000
MAX_LIMIT_BPS = 10**12
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,127}")
_PORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_DPID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Percentage:
    """So many per cent of what all cameras that send to ``destination`` (an address or a prefix) send now."""

    destination: str
    percentage: float


@dataclass(frozen=True)
class ShareRequest:
    """What a client asks of a share; ``flows`` are named, or a percentage that the controller resolves."""

    id: str
    switch: str
    source: str
    target: str
    output_port: str
    flows: tuple[Pair, ...] | Percentage
    cookie: int
    limit_bps: int | None


class Form:
    """A JSON object that is being read; wrong fields gather in ``wrong`` under their full names."""

    def __init__(self, document: object, keys: set[str], path: str = "", wrong: dict[str, str] | None = None):
        self.wrong: dict[str, str] = {} if wrong is None else wrong
        self.path = path
        self.values: dict[str, object] = {}
        if not isinstance(document, dict):
            self.wrong[path or "body"] = "must be a JSON object"
            self.broken = True
            return
        self.broken = False
        self.values = document
        for key in sorted(set(document) - keys):
            self.wrong[self.name(key)] = f"is not known; allowed are {', '.join(sorted(keys))}"

    def name(self, key: str) -> str:
        """The full name of a field, as in ``flows[0].source``."""
        return f"{self.path}.{key}" if self.path else key

    def fail(self, key: str, what: str) -> None:
        """Note that a field is wrong."""
        if not self.broken:
            self.wrong[self.name(key)] = what

    def text(self, key: str, pattern: re.Pattern[str], what: str) -> str:
        """A string that matches as a whole."""
        value = self.values.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.fail(key, f"must be {what}, found {_shown(value)}")
            return ""
        return value

    def port(self, key: str) -> str:
        """The name of a switch port."""
        return self.text(key, _PORT, "the name of a port (letters, digits, '_', '.', '-'; at most 15)")

    def label(self, key: str) -> str:
        """A name for the record."""
        return self.text(key, _NAME, "a name of letters, digits and '_./:-', at most 128")

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.values.get(key)
        if type(value) is not int or not low <= value <= high:
            self.fail(key, f"must be a whole number from {low} to {high}, found {_shown(value)}")
            return low
        return value

    def address(self, key: str) -> str:
        """One IPv4 address."""
        value = self.values.get(key)
        try:
            return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
        except ValueError:
            self.fail(key, f"must be an IPv4 address, found {_shown(value)}")
            return ""

    def network(self, key: str) -> str:
        """An IPv4 prefix or address; a prefix of 32 bits comes back as an address."""
        value = self.values.get(key)
        try:
            network = ipaddress.IPv4Network(value if isinstance(value, str) else "")
        except ValueError:
            self.fail(
                key, f"must be an IPv4 prefix without host bits, such as 10.1.1.0/24, found {_shown(value)}"
            )
            return ""
        return str(network.network_address) if network.prefixlen == 32 else str(network)

    def items(self, key: str, at_least: int) -> list[object]:
        """A list of bounded length."""
        value = self.values.get(key)
        if not isinstance(value, list) or not at_least <= len(value) <= MAX_FLOWS:
            self.fail(key, f"must be a list of {at_least} to {MAX_FLOWS} items, found {_shown(value)}")
            return []
        return value

    def pair(self) -> Pair:
        """The fields ``source`` and ``destination`` as exact addresses."""
        return Pair(self.address("source"), self.address("destination"))

    def finish(self) -> None:
        """Raise 400 if anything was wrong."""
        if self.wrong:
            raise invalid(self.wrong)


def parse_routes(document: object) -> Routes:
    """Body of ``PUT /v1/switches/{dpid}/routes``. Raises ``Refused`` (400)."""
    form = Form(document, {"name", "camera_port", "prefix", "destination", "default_port", "vdpi_ports"})
    ports = form.items("vdpi_ports", 1)
    for index, port in enumerate(ports):
        if not isinstance(port, str) or not _PORT.fullmatch(port):
            form.fail(f"vdpi_ports[{index}]", f"must be the name of a port, found {_shown(port)}")
    routes = Routes(
        camera_port=form.port("camera_port"),
        prefix=form.network("prefix"),
        destination=form.network("destination"),
        default_port=form.port("default_port"),
        vdpi_ports=tuple(str(port) for port in ports),
        name=form.label("name") if form.values.get("name") is not None else None,
    )
    if routes.default_port and ports and routes.default_port not in routes.vdpi_ports:
        form.fail("default_port", f"must be one of vdpi_ports, found {routes.default_port!r}")
    if routes.camera_port and routes.camera_port in routes.vdpi_ports:
        form.fail("camera_port", f"must not be one of vdpi_ports, found {routes.camera_port!r}")
    form.finish()
    return routes


def parse_cameras(document: object) -> tuple[int, tuple[Camera, ...]]:
    """Body of ``PUT …/cameras``: the run's cookie and its cameras. Raises ``Refused`` (400)."""
    form = Form(document, {"cookie", "cameras"})
    cookie = form.integer("cookie", 1, MAX_COOKIE)
    cameras = []
    for index, item in enumerate(form.items("cameras", 0)):
        part = Form(item, {"source", "destination", "output_port"}, f"cameras[{index}]", form.wrong)
        cameras.append(Camera(part.pair(), part.port("output_port")))
    form.finish()
    _no_doubles([camera.pair for camera in cameras], "cameras")
    return cookie, tuple(cameras)


def parse_share(document: object, share_id: str | None = None) -> ShareRequest:
    """Body of ``POST /v1/shares``, or of ``PUT /v1/shares/{id}`` with its id. Raises ``Refused`` (400)."""
    keys = {"id", "switch", "source", "target", "output_port", "flows", "limit_bps", "cookie"}
    if share_id is not None and isinstance(document, dict):
        document = {"id": share_id, **document}
    form = Form(document, keys)
    if share_id is not None and form.values.get("id") != share_id:
        form.fail("id", f"must be the id in the address, {share_id!r}")
    limit = form.values.get("limit_bps")
    request = ShareRequest(
        id=form.label("id"),
        switch=form.text("switch", _DPID, "a datapath id of 16 hexadecimal digits"),
        source=form.label("source"),
        target=form.label("target"),
        output_port=form.port("output_port"),
        flows=_flows(form),
        cookie=form.integer("cookie", 1, MAX_COOKIE),
        limit_bps=None if limit is None else form.integer("limit_bps", 1000, MAX_LIMIT_BPS),
    )
    form.finish()
    if not isinstance(request.flows, Percentage):
        _no_doubles(request.flows, "flows")
    return request


def parse_dpid(text: str) -> str:
    """A datapath id in an address. Raises ``Refused`` (400)."""
    if not _DPID.fullmatch(text):
        raise invalid({"switch": f"must be a datapath id of 16 hexadecimal digits, found {text!r}"})
    return text


def parse_cookie(text: str) -> int:
    """A run's cookie in an address, decimal. Raises ``Refused`` (400)."""
    if not re.fullmatch(r"[0-9]{1,16}", text) or not 1 <= int(text) <= MAX_COOKIE:
        raise invalid({"cookie": f"must be a whole number from 1 to {MAX_COOKIE}, found {text!r}"})
    return int(text)


def _flows(form: Form) -> tuple[Pair, ...] | Percentage:
    value = form.values.get("flows")
    if isinstance(value, dict):
        part = Form(value, {"destination", "percentage"}, "flows", form.wrong)
        percentage = value.get("percentage")
        if (
            isinstance(percentage, bool)
            or not isinstance(percentage, (int, float))
            or not 0 < percentage <= 100
        ):
            part.fail("percentage", f"must be above 0 and at most 100, found {_shown(percentage)}")
            percentage = 100
        return Percentage(part.network("destination"), float(percentage))
    return tuple(
        Form(item, {"source", "destination"}, f"flows[{index}]", form.wrong).pair()
        for index, item in enumerate(form.items("flows", 1))
    )


def _no_doubles(pairs: list[Pair] | tuple[Pair, ...], field: str) -> None:
    seen: set[Pair] = set()
    wrong = {}
    for index, pair in enumerate(pairs):
        if pair in seen:
            wrong[f"{field}[{index}]"] = f"{pair.source} to {pair.destination} is there twice"
        seen.add(pair)
    if wrong:
        raise invalid(wrong)


def _shown(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
