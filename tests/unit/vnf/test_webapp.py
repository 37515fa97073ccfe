"""The page over HTTP, with a stand-in for Prometheus that answers as its HTTP API does (Prometheus 2.42,
"Querying: HTTP API", instant queries of range vectors)."""

from __future__ import annotations

import ipaddress
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from testbedctl.vnf.streams import Network
from testbedctl.vnf.webapp import Source, WebServer, main, page


class FakePrometheus(ThreadingHTTPServer):
    """Answers each query with the series of the metric that it names, and remembers the queries."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FakeAnswer)
        self.series: dict[str, list[dict[str, object]]] = {}
        self.queries: list[str] = []


class FakeAnswer(BaseHTTPRequestHandler):
    server: FakePrometheus

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)["query"][0]
        self.server.queries.append(query)
        result = self.server.series.get(query.partition("{")[0], [])
        body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _serving(server: ThreadingHTTPServer) -> Iterator[str]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    server = FakePrometheus()
    for _ in _serving(server):
        yield server


@pytest.fixture
def cameras() -> Network | None:
    return None


@pytest.fixture
def url(prometheus: FakePrometheus, cameras: Network | None) -> Iterator[str]:
    source = Source(f"http://127.0.0.1:{prometheus.server_address[1]}", "service1", cameras)
    yield from _serving(WebServer("127.0.0.1", 0, source))


def _dpi(camera: str, vdpi: str, protocol: str, *values: float) -> dict[str, object]:
    service, vnf = vdpi.split("/")
    labels = {"camera": camera, "protocol": protocol, "service": service, "vnf": vnf}
    return {"metric": labels, "values": [[100.0 + i, str(v)] for i, v in enumerate(values)]}


def _get(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def test_streams_with_their_rates(url: str, prometheus: FakePrometheus) -> None:
    prometheus.series = {
        "vnf_dpi_bytes_total": [
            _dpi("10.1.0.1", "service1/vdpi", "Unknown", 500, 500),
            _dpi("10.1.0.2", "service1/vdpi", "RTP", 0, 125_000, 250_000),
            _dpi("10.1.0.3", "service1/vdpi", "DNS", 900),
            _dpi("10.1.0.4", "service1/vdpi", "DNS", 900, 100),
        ],
        "vnf_network_receive_bytes_total": [{"metric": {}, "values": [[100, "0"], [102, "250000"]]}],
    }
    found = _get(f"{url}/streams.json")
    assert found["received_bps"] == 1e6
    streams = found["streams"]
    assert isinstance(streams, list)
    assert [(s["camera"], s["rate_bps"]) for s in streams] == [
        ("10.1.0.2", 1e6), ("10.1.0.1", 0), ("10.1.0.3", None), ("10.1.0.4", None)
    ]  # fmt: skip
    assert streams[0] == {
        "camera": "10.1.0.2", "protocol": "RTP", "vdpi": "service1/vdpi", "rate_bps": 1e6, "bytes": 250000
    }  # fmt: skip
    assert all('service="service1"' in query for query in prometheus.queries)


def test_nothing_known_is_not_zero(url: str) -> None:
    assert _get(f"{url}/streams.json") == {"received_bps": None, "streams": []}


@pytest.mark.parametrize("cameras", [ipaddress.ip_network("10.1.0.0/16")])
def test_cameras_are_found_at_every_vdpi(url: str, prometheus: FakePrometheus) -> None:
    prometheus.series["vnf_dpi_bytes_total"] = [
        _dpi("10.1.0.1", "service2/vdpi", "RTP", 0, 1),
        _dpi("10.2.0.1", "service2/vdpi", "RTP", 0, 1),
        _dpi("other", "service1/vdpi", "other", 0, 1),
    ]
    streams = _get(f"{url}/streams.json")["streams"]
    assert isinstance(streams, list)
    assert [(s["camera"], s["vdpi"]) for s in streams] == [("10.1.0.1", "service2/vdpi")]


def test_the_page_and_its_health(url: str) -> None:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "service1" in text
    assert "http://" not in text and "https://" not in text  # it loads nothing from elsewhere
    with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
        assert answer.read() == b"ok\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{url}/../etc/passwd", timeout=5)


def test_a_service_name_cannot_become_markup() -> None:
    text = page("<script>alert(1)</script>")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "innerHTML" not in text  # what comes from the network is set as text


def test_without_prometheus_the_page_says_so() -> None:
    for url in _serving(WebServer("127.0.0.1", 0, Source("http://127.0.0.1:9", "service1", None))):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/streams.json", timeout=5)
        assert caught.value.code == 503
        assert "Prometheus does not answer" in json.load(caught.value)["error"]
        caught.value.close()


def test_an_address_in_use(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = url.rpartition(":")[2]
    arguments = [
        "--listen",
        "127.0.0.1",
        "--port",
        port,
        "--prometheus",
        "http://127.0.0.1:9",
        "--service",
        "s",
    ]
    assert main(arguments) == 4
    assert f"127.0.0.1:{port}" in capsys.readouterr().err
