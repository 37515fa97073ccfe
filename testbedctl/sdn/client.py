"""The client of the northbound interface, for everything in testbedctl that steers cameras."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from testbedctl.errors import RunFailed
from testbedctl.sdn.requests import ShareRequest
from testbedctl.sdn.rules import Camera, Pair, Routes

TIMEOUT_S = 10.0
POLL_S = 0.02


class ControllerRefused(RunFailed):
    """The controller answered with an error: its HTTP ``status``, its ``reason``, the wrong ``fields``."""

    def __init__(self, message: str, status: int, reason: str, fields: Mapping[str, str]):
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.fields = dict(fields)


class ControllerSilent(RunFailed):
    """The controller cannot be reached, or did not answer in time."""


@dataclass(frozen=True)
class Confirmed:
    """The switch's word that a change is in force: Unix time of its barrier reply, seconds waited for it."""

    applied_unix_s: float
    barrier_s: float


@dataclass(frozen=True)
class ShareStatus:
    """A share in force."""

    id: str
    switch: str
    source: str
    target: str
    output_port: str
    flows: tuple[Pair, ...]
    cookie: int
    limit_bps: int | None
    applied_unix_s: float


@dataclass(frozen=True)
class SwitchStatus:
    """A connected switch; ``ports`` are numbers by name."""

    dpid: str
    name: str | None
    ports: Mapping[str, int]
    connected_unix_s: float


@dataclass(frozen=True)
class FlowStatus:
    """A flow entry as the switch holds it; ``rate_bps`` is none until there is something to compare with."""

    source: str | None
    destination: str | None
    in_port: str | None
    output: str | None
    priority: int
    cookie: int
    meter_id: int | None
    packets: int
    bytes: int
    duration_s: float
    rate_bps: float | None


@dataclass(frozen=True)
class PortStatus:
    """Counters of a port, from the switch's side: ``rx`` is what came in."""

    port: str
    number: int
    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_dropped: int
    tx_dropped: int
    rx_errors: int
    tx_errors: int


class Controller:
    """A controller at ``unix:/path`` (or a plain path) or ``tcp:ADDRESS:PORT``.

    Every method raises ``ControllerRefused`` with the controller's own words, and ``ControllerSilent`` if it
    cannot be reached or does not answer within ``timeout_s``. Safe to use from several threads.
    """

    def __init__(self, address: str, token: str, timeout_s: float = TIMEOUT_S):
        self.address = address if address.startswith(("unix:", "tcp:")) else f"unix:{address}"
        self._token = token
        self._timeout_s = timeout_s

    def health(self) -> dict[str, Any]:
        """``{status, pid, uptime_s, switches}``."""
        found: dict[str, Any] = self._call("GET", "/v1/health")
        return found

    def switches(self) -> list[SwitchStatus]:
        """The switches that are connected now."""
        return [SwitchStatus(**row) for row in self._call("GET", "/v1/switches")["switches"]]

    def wait_for(self, dpid: str, ports: Collection[str], timeout_s: float) -> SwitchStatus:
        """Wait until the switch is connected and has these ports; the controller may still be starting.
        Raises ``RunFailed`` when time is up, saying what is missing."""
        deadline = time.monotonic() + timeout_s
        while True:
            missing = self._missing(dpid, ports)
            if isinstance(missing, SwitchStatus):
                return missing
            if time.monotonic() > deadline:
                raise RunFailed(f"switch {dpid} was not ready within {timeout_s:g} s: {missing}")
            time.sleep(POLL_S)

    def put_routes(self, dpid: str, routes: Routes) -> Confirmed:
        """Replace where whole prefixes go and how answers come back."""
        return _confirmed(self._call("PUT", f"/v1/switches/{dpid}/routes", asdict(routes)))

    def put_cameras(self, dpid: str, cookie: int, cameras: Sequence[Camera]) -> Confirmed:
        """Replace the exact rules of a run's cameras."""
        rows = [{**asdict(camera.pair), "output_port": camera.output_port} for camera in cameras]
        document = {"cookie": cookie, "cameras": rows}
        return _confirmed(self._call("PUT", f"/v1/switches/{dpid}/cameras", document))

    def create_share(self, request: ShareRequest) -> tuple[ShareStatus, Confirmed]:
        """Let another vDPI serve whole cameras: named pairs, or a percentage that the controller resolves."""
        return _share_and_time(self._call("POST", "/v1/shares", asdict(request)))

    def change_share(self, request: ShareRequest) -> tuple[ShareStatus, Confirmed]:
        """Give the share of this id other cameras, another port or another limit."""
        return _share_and_time(self._call("PUT", f"/v1/shares/{request.id}", asdict(request)))

    def delete_share(self, share_id: str) -> Confirmed:
        """Give the cameras of a share back to their own vDPI."""
        return _confirmed(self._call("DELETE", f"/v1/shares/{share_id}"))

    def delete_run(self, cookie: int) -> Confirmed:
        """Remove every share and camera rule of a run, also those of an earlier controller process."""
        return _confirmed(self._call("DELETE", f"/v1/runs/{cookie}"))

    def delete_all_runs(self) -> Confirmed:
        """Remove every share and camera rule of every run, also those of an earlier controller process; the
        routes stay."""
        return _confirmed(self._call("DELETE", "/v1/runs"))

    def shares(self) -> list[ShareStatus]:
        """The shares in force, oldest first."""
        return [_share(row) for row in self._call("GET", "/v1/shares")["shares"]]

    def flows(self, dpid: str) -> list[FlowStatus]:
        """The flow entries of a switch with its own counters."""
        return [FlowStatus(**row) for row in self._call("GET", f"/v1/switches/{dpid}/flows")["flows"]]

    def ports(self, dpid: str) -> list[PortStatus]:
        """The port counters of a switch."""
        return [PortStatus(**row) for row in self._call("GET", f"/v1/switches/{dpid}/ports")["ports"]]

    def _missing(self, dpid: str, ports: Collection[str]) -> SwitchStatus | str:
        try:
            found = [switch for switch in self.switches() if switch.dpid == dpid]
        except ControllerSilent as error:  # it may still be starting
            return error.message
        if not found:
            return "it is not connected"
        lacking = sorted(set(ports) - set(found[0].ports))
        return f"it has no port {', '.join(lacking)}" if lacking else found[0]

    def _call(self, method: Literal["GET", "PUT", "POST", "DELETE"], path: str, body: object = None) -> Any:
        connection = _connection(self.address, self._timeout_s)
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            document = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ControllerSilent(
                f"the controller at {self.address} does not answer {method} {path}: {error or repr(error)}",
                hint="see the controller's log, and whether its process still runs",
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:
            detail = document["error"]
            message = f"controller, {method} {path}: {detail['message']} ({answer.status})"
            raise ControllerRefused(message, answer.status, detail["code"], detail["fields"])
        return document


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float):
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(address: str, timeout_s: float) -> http.client.HTTPConnection:
    kind, _, rest = address.partition(":")
    if kind == "unix":
        return _UnixConnection(rest, timeout_s)
    host, _, port = rest.rpartition(":")
    return http.client.HTTPConnection(host, int(port), timeout=timeout_s)


def _confirmed(document: Mapping[str, Any]) -> Confirmed:
    return Confirmed(document["applied_unix_s"], document["barrier_s"])


def _share(document: Mapping[str, Any]) -> ShareStatus:
    values = {key: document[key] for key in ShareStatus.__dataclass_fields__}
    return ShareStatus(**{**values, "flows": tuple(Pair(**pair) for pair in document["flows"])})


def _share_and_time(document: Mapping[str, Any]) -> tuple[ShareStatus, Confirmed]:
    return _share(document), _confirmed(document)
