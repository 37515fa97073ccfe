"""The monitoring agent of one domain: ``python -m testbedctl.telemetry.agent --config FILE``.

Serves ``/metrics`` in the Prometheus text format. Values are read while the scrape waits, so they are of that
moment.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import NoReturn

from testbedctl.errors import HostUnfit, TestbedError, UsageError
from testbedctl.telemetry.collector import DomainCollector
from testbedctl.telemetry.config import AgentConfig
from testbedctl.telemetry.exposition import CONTENT_TYPE, text


class AgentServer(ThreadingHTTPServer):
    """Listens where the configuration says and answers each scrape from one collector."""

    daemon_threads = True

    def __init__(self, config: AgentConfig) -> None:
        self.collector = DomainCollector(config)
        try:
            super().__init__(config.listen, Scrape)
        except OSError as error:
            address, port = config.listen
            raise HostUnfit(
                f"the monitoring agent cannot listen on {address}:{port}: {error.strerror}",
                hint="each domain's agent needs a port of its own",
            ) from error


class Scrape(BaseHTTPRequestHandler):
    """One connection; Prometheus keeps it open from scrape to scrape."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True  # else the body waits 40 ms until the head's segment is acknowledged
    server: AgentServer

    def do_GET(self) -> None:
        """``/metrics``; anything else is not found."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        body = text(self.server.collector.collect())
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A line per scrape and second would bury what matters."""


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="testbedctl.telemetry.agent", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON, see docs/reference/metrics.md")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    try:
        with AgentServer(AgentConfig.from_json(_text(given.config))) as server:
            server.serve_forever()
    except TestbedError as error:
        print(f"error: {error.message}" + (f" ({error.hint})" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", hint="give the file that 'up' wrote"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
