"""The streams of one service, as its vWapp shows them: from the raw samples of the lab's Prometheus."""

from __future__ import annotations

import ipaddress
import json
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from testbedctl.errors import RunFailed

WINDOW_S = 5
"""An inspection engine reports once a second, so a rate needs some of its reports."""

TIMEOUT_S = 2.0
Series = Mapping[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Stream:
    """One camera's traffic of one class at one vDPI. ``rate_bps`` is None before a second sample."""

    camera: str
    protocol: str
    vdpi: str
    rate_bps: float | None
    bytes: int


@dataclass(frozen=True)
class LiveView:
    """What the page shows. ``received_bps`` is what arrives at the vSRE, None if that is not known."""

    received_bps: float | None
    streams: tuple[Stream, ...]

    def to_json(self) -> str:
        """The document of ``/streams.json``."""
        return json.dumps(asdict(self), allow_nan=False)


def live_view(prometheus: str, service: str, cameras: Network | None) -> LiveView:
    """Ask Prometheus (its URL). ``cameras`` is the network of the service's cameras; without it, all cameras
    that the service's own vDPIs see are shown. Raises ``RunFailed`` if it does not answer."""
    own = f"service={json.dumps(service)}"
    inspected = _query(prometheus, f"vnf_dpi_bytes_total{{{'' if cameras else own}}}[{WINDOW_S}s]")
    received = _query(prometheus, f'vnf_network_receive_bytes_total{{{own},vnf_type="vsre"}}[{WINDOW_S}s]')
    return LiveView(_sum(_rate(each) for each in received), tuple(_streams(inspected, cameras)))


def _streams(inspected: Iterable[Series], cameras: Network | None) -> list[Stream]:
    found = []
    for series in inspected:
        labels = series["metric"]
        if cameras and not _within(labels["camera"], cameras):
            continue
        rate = _rate(series)
        vdpi = f"{labels['service']}/{labels['vnf']}"
        size = int(float(series["values"][-1][1]))
        found.append(Stream(labels["camera"], labels["protocol"], vdpi, rate and rate * 8, size))
    return sorted(found, key=lambda s: (-(s.rate_bps or 0), s.camera, s.protocol, s.vdpi))


def _within(camera: str, cameras: Network) -> bool:
    try:
        return ipaddress.ip_address(camera) in cameras
    except ValueError:  # "other": what the engine did not keep apart
        return False


def _rate(series: Series) -> float | None:
    """Bytes per second over the window; None if there is one sample only or the counter began again."""
    (start_s, first), (end_s, last) = series["values"][0], series["values"][-1]
    elapsed_s, gained = float(end_s) - float(start_s), float(last) - float(first)
    return gained / elapsed_s if elapsed_s > 0 and gained >= 0 else None


def _sum(rates: Iterable[float | None]) -> float | None:
    known = list(rates)
    if not known or None in known:
        return None
    return sum(rate for rate in known if rate is not None) * 8


def _query(prometheus: str, query: str) -> list[Series]:
    url = f"{prometheus.rstrip('/')}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the lab is never behind a proxy
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            found: list[Series] = json.load(answer)["data"]["result"]
            return found
    except (OSError, ValueError, KeyError) as error:
        raise RunFailed(f"Prometheus does not answer: {error}") from error
