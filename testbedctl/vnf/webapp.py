"""The vWapp: a small page with the live streams of one service.

Run as ``python -m testbedctl.vnf.webapp --listen ADDRESS --port 80 --prometheus URL --service NAME``. Serves
``/``, ``/streams.json`` and ``/healthz``. What it shows comes from the lab's Prometheus: the bytes that the
service's vSRE receives, and per camera what the vDPIs inspected.
"""

from __future__ import annotations

import argparse
import html
import ipaddress
import json
import signal
import socketserver
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import NoReturn

from testbedctl.errors import HostUnfit, TestbedError
from testbedctl.vnf.streams import Network, live_view

CONTENT_SECURITY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
)


@dataclass(frozen=True)
class Source:
    """Where the page's numbers come from."""

    prometheus: str
    service: str
    cameras: Network | None


class WebServer(ThreadingHTTPServer):
    """The page of one service."""

    daemon_threads = True

    def __init__(self, address: str, port: int, source: Source) -> None:
        self.source = source
        self.page = page(source.service)
        try:
            super().__init__((address, port), Request)
        except OSError as error:
            raise HostUnfit(
                f"the web page cannot listen on {address}:{port}: {error.strerror}",
                hint="is the address the VNF's own, and the port free?",
            ) from error

    def server_bind(self) -> None:
        """Bind without asking a name server for our own name: none answers inside the VNF, for seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


class Request(BaseHTTPRequestHandler):
    """One connection of a browser."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True  # head and body are two segments
    server: WebServer

    def do_GET(self) -> None:
        """The three things there are; anything else is not found."""
        path = self.path.partition("?")[0]
        if path == "/":
            self._answer(200, "text/html; charset=utf-8", self.server.page)
        elif path == "/streams.json":
            self._streams()
        elif path == "/healthz":
            self._answer(200, "text/plain; charset=utf-8", "ok\n")
        else:
            self.send_error(404)

    def _streams(self) -> None:
        source = self.server.source
        try:
            document, status = live_view(source.prometheus, source.service, source.cameras).to_json(), 200
        except TestbedError as error:
            document, status = json.dumps({"error": error.message}), 503
        self._answer(status, "application/json", document)

    def _answer(self, status: int, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CONTENT_SECURITY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A line per browser and second would bury what matters."""


def page(service: str) -> str:
    """The HTML of a service's page: whole in itself, it loads nothing but ``streams.json``."""
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return template.replace("@SERVICE@", html.escape(service))


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="testbedctl.vnf.webapp", description=__doc__)
    parser.add_argument("--listen", required=True, help="address of the VNF")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--prometheus", required=True, help="URL of the lab's Prometheus")
    parser.add_argument("--service", required=True, help="the service whose streams are shown")
    parser.add_argument("--cameras", type=ipaddress.ip_network, help="network of the service's cameras")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    source = Source(given.prometheus, given.service, given.cameras)
    try:
        with WebServer(given.listen, given.port, source) as server:
            server.serve_forever()
    except TestbedError as error:
        print(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
