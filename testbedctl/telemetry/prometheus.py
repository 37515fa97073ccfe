"""The lab's own Prometheus: its configuration, how it is started, and what is asked of it.

The functions that ask open their connection in the network namespace of the calling thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from testbedctl.errors import RunFailed
from testbedctl.render.templates import render

if TYPE_CHECKING:
    from prometheus_api_client import PrometheusConnect

TIMEOUT_S = 2.0
EXPORT_TIMEOUT_S = 60.0
COLLECTORS = ("cpu", "loadavg", "meminfo", "softnet", "stat")


@dataclass(frozen=True)
class Sample:
    """One value as it was scraped, with the time of its scrape (Unix, seconds, to the millisecond)."""

    metric: str
    labels: Mapping[str, str]
    unix_s: float
    value: float


class Target(NamedTuple):
    """A further endpoint to scrape: ``address:port``, its path, and the labels that its samples get."""

    address: str
    path: str
    labels: Mapping[str, str]


def write_config(
    path: Path,
    *,
    lab: str,
    agents: Mapping[str, str],
    node_exporter: str,
    extra: Mapping[str, Target],
) -> None:
    """Write ``prometheus.yml``. Targets are ``address:port``; ``agents`` by domain, ``extra`` by name."""
    path.write_text(
        render("prometheus.yml.j2", lab=lab, agents=agents, node_exporter=node_exporter, extra=extra)
    )


def prometheus_argv(config: Path, data_dir: Path, listen: str) -> list[str]:
    """How to run Prometheus on ``listen`` (``address:port``), with its data in a directory of its own.

    Its service discovery holds targets back for 5 s whatever the configuration, so the first scrape comes 5
    to 6 s after the start; start it before everything else.
    """
    return [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data_dir}",
        "--storage.tsdb.retention.time=30d",
        f"--web.listen-address={listen}",
        # without it, targets that just missed one round of the discovery wait 5 s more for the next
        "--scrape.discovery-reload-interval=100ms",
        "--log.level=warn",
    ]


def node_exporter_argv(listen: str) -> list[str]:
    """How to run node_exporter on ``listen`` with what a run's noise gate needs, and no more."""
    return [
        "prometheus-node-exporter",
        f"--web.listen-address={listen}",
        "--web.disable-exporter-metrics",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in COLLECTORS),
        "--log.level=warn",
    ]


def ready(url: str) -> bool:
    """Whether Prometheus answers queries."""
    try:
        with _connect(url, TIMEOUT_S) as client:
            client.custom_query("vector(1)")
    except RunFailed:
        return False
    return True


def samples(url: str, matcher: str, window_s: float) -> list[Sample]:
    """Raw samples of the last ``window_s`` seconds, at the times at which they were scraped.

    ``matcher`` is a PromQL series selector such as ``{__name__=~"vnf_.+"}``. Raises ``RunFailed`` if
    Prometheus does not answer or refuses the query.
    """
    with _connect(url, TIMEOUT_S) as client:
        return list(samples_of(client.custom_query(f"{matcher}[{round(window_s * 1000)}ms]")))


def export(url: str, start_unix_s: float, end_unix_s: float) -> list[Sample]:
    """Every raw sample that was scraped from ``start_unix_s`` to ``end_unix_s``, both included.

    A range of raw samples is asked for, not ``query_range``, which would resample. Raises ``RunFailed`` as
    ``samples`` does.
    """
    # one millisecond more, because Prometheus 3 leaves the first instant of a range out
    query = f'{{__name__=~".+"}}[{round((end_unix_s - start_unix_s) * 1000) + 1}ms]'
    with _connect(url, EXPORT_TIMEOUT_S) as client:
        found = samples_of(client.custom_query(query, params={"time": f"{end_unix_s:.3f}"}))
        return [s for s in found if start_unix_s <= s.unix_s <= end_unix_s]


def samples_of(series: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """The samples of what a query for raw samples found: series with their labels and values."""
    for each in series:
        labels = {key: value for key, value in each["metric"].items() if key != "__name__"}
        for unix_s, value in each["values"]:
            yield Sample(each["metric"].get("__name__", ""), labels, float(unix_s), float(value))


def client_of(url: str, timeout_s: float) -> PrometheusConnect:
    """A client that asks once and directly; each of its methods raises what its libraries raise."""
    # 0.08 s to import, so only when something is asked
    from prometheus_api_client import PrometheusConnect
    from requests import Session
    from urllib3 import Retry

    session = Session()
    session.trust_env = False  # a proxy of the user's does not know our namespaces
    return PrometheusConnect(url, retry=Retry(0), session=session, timeout=timeout_s)


@contextmanager
def _connect(url: str, timeout_s: float) -> Iterator[PrometheusConnect]:
    from prometheus_api_client.exceptions import PrometheusApiClientException
    from requests import RequestException

    try:
        with client_of(url, timeout_s) as client:
            yield client
    except PrometheusApiClientException as error:
        raise RunFailed(f"Prometheus at {url} refuses a query: {error}") from error
    except RequestException as error:
        raise RunFailed(
            f"Prometheus at {url} does not answer: {error}", hint="see 'testbedctl status' and its log"
        ) from error
