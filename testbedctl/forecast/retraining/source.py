"""Raw samples of a past stretch of time, asked of a Prometheus in pieces that it can answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from testbedctl.errors import RunFailed, UsageError
from testbedctl.telemetry.prometheus import Sample, client_of, samples_of

if TYPE_CHECKING:
    from prometheus_api_client import PrometheusConnect

VNF_METRICS = "vnf_(cpu|memory|storage|network)_.+"
DURATION = "scrape_duration_seconds"
PIECE_S = 600.0
"""Ten minutes of 100 VNFs, scraped each second, are half a million samples: 0.3 GB of memory."""

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Source:
    """A Prometheus and, if it watches several labs, the one whose VNFs are meant."""

    url: str
    lab: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"{self.url!r} is not the address of a Prometheus",
                hint="give http://HOST:9090, as in a browser",
            )

    @property
    def shown(self) -> str:
        """The address without the password that it may carry."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def pieces(
        self, start_unix_s: float, end_unix_s: float, *, observe: Callable[[float], None]
    ) -> Iterator[list[Sample]]:
        """Samples of VNFs and the durations of their scrapes, from after the start to the end, in pieces.

        They are the raw ones, at the times of their scrapes: ``query_range`` would resample them, and a rate
        between resampled counters is false. ``observe`` is told the part of the time that is done (0 to 1).
        Raises ``RunFailed`` if Prometheus does not answer or refuses.
        """
        begin = start_unix_s
        with self._connected() as client:
            while begin < end_unix_s:
                end = min(begin + PIECE_S, end_unix_s)
                yield self._piece(client, begin, end)
                observe((end - start_unix_s) / (end_unix_s - start_unix_s))
                begin = end

    def _piece(self, client: PrometheusConnect, begin: float, end: float) -> list[Sample]:
        lab = f",lab={json.dumps(self.lab)}" if self.lab else ""
        found = _raw(client, f'{{__name__=~"{VNF_METRICS}"{lab}}}', begin, end)
        jobs = "|".join(sorted({re.escape(sample.labels.get("job", "")) for sample in found}))
        if found:
            found += _raw(client, f"{DURATION}{{job=~{json.dumps(jobs)}}}", begin, end)
        return found

    @contextmanager
    def _connected(self) -> Iterator[PrometheusConnect]:
        from prometheus_api_client.exceptions import PrometheusApiClientException
        from requests import RequestException

        try:
            with client_of(self.url, TIMEOUT_S) as client:
                yield client
        except PrometheusApiClientException as error:
            raise RunFailed(
                f"Prometheus at {self.shown} refuses a query: {error}", hint="is it a Prometheus?"
            ) from error
        except RequestException as error:
            raise RunFailed(
                f"Prometheus at {self.shown} does not answer: {type(error).__name__}",
                hint="can this machine reach it? For a lab's own Prometheus give --lab NAME and no address",
            ) from error


def _raw(client: PrometheusConnect, matcher: str, begin: float, end: float) -> list[Sample]:
    query = f"{matcher}[{round((end - begin) * 1000)}ms]"
    found = samples_of(client.custom_query(query, params={"time": f"{end:.3f}"}))
    return [sample for sample in found if sample.unix_s > begin]  # Prometheus 2 counts the first instant in
