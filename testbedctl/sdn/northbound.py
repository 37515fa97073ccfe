"""The northbound interface: HTTP/1.1 with JSON over a Unix socket, loopback or a private address.

Standard library alone, so that it runs under os-ken and under Ryu. Every request carries a bearer token
(RFC 6750, section 2.1).
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import logging
import re
import socket
import stat
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from testbedctl.errors import Foreign, HostUnfit, UsageError
from testbedctl.sdn.listing import Document
from testbedctl.sdn.refusal import Refused, invalid, not_found
from testbedctl.sdn.requests import parse_cookie, parse_dpid
from testbedctl.sdn.steering import Steering

MAX_BODY_BYTES = 4 * 1024 * 1024
IDLE_TIMEOUT_S = 60.0
LOG = logging.getLogger("testbedctl.sdn")

Operation = Callable[[Steering, str, object], Document]
OPERATIONS: list[tuple[str, re.Pattern[str], Operation]] = [
    ("GET", re.compile(r"/v1/health"), lambda s, _, __: s.health()),
    ("GET", re.compile(r"/v1/switches"), lambda s, _, __: s.switches()),
    ("PUT", re.compile(r"/v1/switches/([^/]+)/routes"), lambda s, dpid, b: s.put_routes(parse_dpid(dpid), b)),
    (
        "PUT",
        re.compile(r"/v1/switches/([^/]+)/cameras"),
        lambda s, dpid, b: s.put_cameras(parse_dpid(dpid), b),
    ),
    ("GET", re.compile(r"/v1/switches/([^/]+)/flows"), lambda s, dpid, _: s.flows(parse_dpid(dpid))),
    ("GET", re.compile(r"/v1/switches/([^/]+)/ports"), lambda s, dpid, _: s.ports(parse_dpid(dpid))),
    ("GET", re.compile(r"/v1/shares"), lambda s, _, __: s.shares()),
    ("POST", re.compile(r"/v1/shares"), lambda s, _, b: s.create_share(b)),
    ("PUT", re.compile(r"/v1/shares/(.+)"), lambda s, share, b: s.change_share(share, b)),
    ("DELETE", re.compile(r"/v1/shares/(.+)"), lambda s, share, _: s.delete_share(share)),
    ("DELETE", re.compile(r"/v1/runs"), lambda s, _, __: s.delete_all_runs()),
    ("DELETE", re.compile(r"/v1/runs/([^/]+)"), lambda s, cookie, _: s.delete_run(parse_cookie(cookie))),
]


def read_token(path: Path) -> bytes:
    """The token in a file that nobody else may read. Raises ``HostUnfit``."""
    try:
        mode = path.stat().st_mode
        token = path.read_bytes().strip()
    except OSError as error:
        raise HostUnfit(f"the token file {path} cannot be read: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise HostUnfit(f"the token file {path} is open to others", hint=f"chmod 600 {path}")
    if len(token) < 16:
        raise HostUnfit(f"the token in {path} has fewer than 16 characters")
    return token


def open_listener(address: str) -> socket.socket:
    """A listening socket at ``unix:/path`` (mode 0600) or ``tcp:ADDRESS:PORT`` (loopback or private).

    Raises ``UsageError`` for any other address and ``Foreign`` if something else is there.
    """
    kind, _, rest = address.partition(":")
    if kind == "unix" and rest.startswith("/"):
        return _listen_unix(Path(rest))
    host, _, port = rest.rpartition(":")
    if kind != "tcp" or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"the northbound address {address!r} is neither unix:/path nor tcp:ADDRESS:PORT")
    check_private(host)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        raise Foreign(f"cannot listen at {address}: {error.strerror}") from error
    listener.listen()
    return listener


def check_private(host: str) -> None:
    """Raise ``UsageError`` unless ``host`` is one loopback or private IPv4 address."""
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise UsageError(f"{host!r} is not an IPv4 address") from None
    if address.is_unspecified or address.is_reserved or not (address.is_loopback or address.is_private):
        raise UsageError(
            f"{host} is neither a loopback nor a private address; the controller listens there only"
        )


def serve(listener: socket.socket, steering: Steering, token: bytes, spawn: Callable[..., object]) -> None:
    """Answer requests until the listener is closed, each connection in a thread of its own."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # closed by whoever ends the controller
        spawn(_answer, client, steering, token)


def _answer(client: socket.socket, steering: Steering, token: bytes) -> None:
    try:
        Handler(client, steering, token)
    except (ConnectionError, TimeoutError) as error:
        LOG.info("a client went away: %s", error)
    finally:
        client.close()


def _listen_unix(path: Path) -> socket.socket:
    if path.exists():
        if not path.is_socket():
            raise Foreign(f"{path} is in the way and is no socket", hint="choose another path")
        if _answers(path):
            raise Foreign(f"another process listens at {path}", hint="stop it, or choose another path")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
    except OSError as error:
        raise HostUnfit(f"cannot listen at {path}: {error}") from error
    path.chmod(0o600)  # before listen(): nobody can have connected
    listener.listen()
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False  # left behind by a controller that was killed
        return True


class Handler(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    server_version = "testbedctl"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S

    def __init__(self, client: socket.socket, steering: Steering, token: bytes):
        self.steering = steering
        self.token = token
        super().__init__(client, ("client", 0), None)  # type: ignore[arg-type]  # no server object is used

    def handle_request(self) -> None:
        """Check the token, find the operation, do it, answer."""
        try:
            body = self._body()
            self._authorise()
            document = self._operate(body)
            self._reply(HTTPStatus.CREATED if self.command == "POST" else HTTPStatus.OK, document)
        except Refused as refusal:
            self._reply(refusal.status, refusal.as_dict())
        except Exception:  # the client must get an answer, whatever went wrong here
            LOG.exception("%s %s failed", self.command, self.path)
            failed = Refused(
                HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the controller failed; see its log"
            )
            self._reply(failed.status, failed.as_dict())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the HTTP parser itself refuses, as JSON like everything else."""
        self.close_connection = True
        status = HTTPStatus(code)
        refusal = Refused(status, "http", explain or message or status.phrase)
        self._reply(status, refusal.as_dict())

    def log_message(self, format: str, *args: object) -> None:
        """Requests are worth a line only when asked for."""
        LOG.debug(format, *args)

    def _authorise(self) -> None:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not hmac.compare_digest(given.strip().encode(), self.token):
            message = "the request carries no valid token; send 'Authorization: Bearer TOKEN'"
            raise Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", message)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise invalid({"Content-Length": f"must be given in bytes, found {length!r}"})
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            message = f"the body has {length} bytes; at most {MAX_BODY_BYTES} are read"
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", message)
        return self.rfile.read(int(length))

    def _operate(self, body: bytes) -> Document:
        allowed = []
        for method, path, operation in OPERATIONS:
            found = path.fullmatch(self.path)
            if found and method == self.command:
                document = _parse(body) if method in ("POST", "PUT") else None
                return operation(self.steering, "".join(found.groups()), document)
            if found:
                allowed.append(method)
        if allowed:
            message = f"{self.path} allows {', '.join(allowed)}"
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", message)
        raise not_found(f"resource {self.path}")

    def _reply(self, status: HTTPStatus, document: Document) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise invalid({"body": f"is not JSON: {error}"}) from None
