"""The monitoring agent's metrics, read when they are asked for and not before.

A source that cannot be read leaves its metrics out and sets ``vnf_up`` to 0; nothing is ever filled in.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from testbedctl.errors import TestbedError
from testbedctl.telemetry import cgroups, inspection, processes
from testbedctl.telemetry.config import AgentConfig, VnfSources
from testbedctl.telemetry.decisions import DecisionReader
from testbedctl.telemetry.ledger import Ledger
from testbedctl.telemetry.metrics import METRICS, VNF_LABELS
from testbedctl.telemetry.switch import ControlQuery, ask_rules, parse_rules

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

SWITCH_PATIENCE_S = 0.5
"""How long all switches together may take to answer: half the time between two scrapes."""


class Families:
    """The metric families of one scrape, made when the first sample of each arrives."""

    def __init__(self) -> None:
        self._families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}

    def add(self, name: str, labels: list[str], value: float) -> None:
        """One sample of a metric that ``METRICS`` names, with its label values in their order."""
        family = self._families.get(name)
        if family is None:
            metric = METRICS[name]
            make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = make(name, metric.help, labels=[*VNF_LABELS, *metric.labels])
            self._families[name] = family
        family.add_metric(labels, value)

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._families.values())


class VnfReader:
    """Reads one VNF. What must outlive a scrape (ledgers, an open file) is kept here."""

    def __init__(self, config: AgentConfig, sources: VnfSources) -> None:
        self._sources = sources
        self._labels = [
            config.lab, config.domain, sources.service, sources.vnf, sources.vnf_type, sources.vnf_class
        ]  # fmt: skip
        self._namespace = processes.NamespaceTraffic(sources.netns) if sources.netns else None
        self._written: Ledger[tuple[int, str]] = Ledger()
        self._forwarded_packets: Ledger[str] = Ledger()
        self._forwarded_bytes: Ledger[str] = Ledger()
        self._flow_packets: dict[tuple[str, str], Ledger[str]] = defaultdict(Ledger)
        self._flow_bytes: dict[tuple[str, str], Ledger[str]] = defaultdict(Ledger)
        self._query: ControlQuery | None = None
        self._faults: dict[str, str] = {}
        self._said: set[str] = set()

    def ask(self) -> None:
        """Send the question to the VNF's switch, if it has one; the answer is fetched by ``read_switch``."""
        self._faults = {}
        self._query = None
        if self._sources.ovs:
            switch = self._sources.ovs
            self._try("switch", lambda: self._send(ask_rules(switch)))

    def _send(self, query: ControlQuery) -> None:
        self._query = query

    def read(self, families: Families) -> None:
        """Everything but the switch: files that the kernel or the engine wrote."""
        self._limits(families)
        self._try("process", self._alive)
        self._try("CPU", lambda: self._cpu(families))
        self._try("memory", lambda: self._memory(families))
        self._try("storage", lambda: self._storage(families))
        self._try("network", lambda: self._network(families))
        self._try("inspection engine", lambda: self._inspection(families))

    def read_switch(self, families: Families, deadline_s: float) -> None:
        """The switch's flow counters, and whether all of the VNF's sources could be read."""
        self._try("switch", lambda: self._flows(families, deadline_s))
        families.add("vnf_up", self._labels, 0 if self._faults else 1)
        if set(self._faults) != self._said:
            state = "; ".join(self._faults.values()) or "all sources can be read"
            print(f"{self._sources.key}: {state}", file=sys.stderr, flush=True)
            self._said = set(self._faults)

    def _try(self, source: str, read: Callable[[], None]) -> None:
        try:
            read()
        except (OSError, ValueError, KeyError, IndexError, TypeError, TestbedError) as error:
            self._faults[source] = f"{source}: {type(error).__name__}: {error}"

    def _alive(self) -> None:
        if not cgroups.members(self._sources.cgroups):
            raise ProcessLookupError("the VNF has no process")

    def _limits(self, families: Families) -> None:
        limits = self._sources.limits
        families.add("vnf_cpu_quota_cores", self._labels, limits.cpu_cores)
        families.add("vnf_memory_limit_bytes", self._labels, limits.memory_bytes)
        families.add(
            "vnf_storage_limit_bytes_per_second", self._labels, limits.storage_write_bytes_per_second
        )
        families.add("vnf_network_limit_bytes_per_second", self._labels, limits.network_bytes_per_second)

    def _cpu(self, families: Families) -> None:
        used_s = cgroups.cpu_seconds(self._sources.cgroups)
        throttled_s = cgroups.throttled_seconds(self._sources.cgroups)
        families.add("vnf_cpu_seconds", self._labels, used_s)
        families.add("vnf_cpu_throttled_seconds", self._labels, throttled_s)

    def _memory(self, families: Families) -> None:
        families.add("vnf_memory_bytes", self._labels, cgroups.memory_bytes(self._sources.cgroups))

    def _storage(self, families: Families) -> None:
        written = cgroups.written_bytes(self._sources.cgroups)
        if written is None:
            pids = cgroups.members(self._sources.cgroups)
            written = self._written.update(processes.written_bytes(pids))
        families.add("vnf_storage_written_bytes", self._labels, written)

    def _network(self, families: Families) -> None:
        if self._namespace:
            traffic = self._namespace.read(self._sources.interfaces)
        else:
            pids = cgroups.members(self._sources.cgroups)
            traffic = processes.traffic(pids, self._sources.interfaces)
        families.add("vnf_network_receive_bytes", self._labels, traffic.receive_bytes)
        families.add("vnf_network_transmit_bytes", self._labels, traffic.transmit_bytes)

    def _inspection(self, families: Families) -> None:
        if not self._sources.dpi_stats:
            return
        seen = inspection.read(self._sources.dpi_stats)
        for each in seen.classes:
            labels = [*self._labels, each.protocol, each.camera]
            families.add("vnf_dpi_packets", labels, each.packets)
            families.add("vnf_dpi_bytes", labels, each.bytes)
        families.add("vnf_dpi_dropped_packets", self._labels, seen.dropped_packets)

    def _flows(self, families: Families, deadline_s: float) -> None:
        if self._query is None:
            return
        rules = [rule for rule in parse_rules(self._query.answer(deadline_s)) if rule.forwards]
        packets = self._forwarded_packets.update({rule.match: rule.packets for rule in rules})
        size = self._forwarded_bytes.update({rule.match: rule.bytes for rule in rules})
        families.add("vnf_forwarded_packets", self._labels, packets)
        families.add("vnf_forwarded_bytes", self._labels, size)
        by_camera = defaultdict(list)
        for rule in rules:
            if rule.source and rule.destination:
                by_camera[rule.source, rule.destination].append(rule)
        for pair, own in by_camera.items():
            labels = [*self._labels, *pair]
            packets = self._flow_packets[pair].update({rule.match: rule.packets for rule in own})
            size = self._flow_bytes[pair].update({rule.match: rule.bytes for rule in own})
            families.add("vnf_flow_packets", labels, packets)
            families.add("vnf_flow_bytes", labels, size)


class DomainCollector(Collector):
    """All VNFs of one domain, and the lab's decisions. One scrape at a time."""

    def __init__(self, config: AgentConfig) -> None:
        self._readers = [VnfReader(config, sources) for sources in config.vnfs]
        self._decisions = DecisionReader(config.lab, Path(config.decisions)) if config.decisions else None
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing is known before the first scrape, and asking must not count as one."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read everything; switches are asked first and listened to last, so that no other value waits."""
        with self._lock:
            families = Families()
            deadline_s = time.monotonic() + SWITCH_PATIENCE_S
            for reader in self._readers:
                reader.ask()
            for reader in self._readers:
                reader.read(families)
            for reader in self._readers:
                reader.read_switch(families, deadline_s)
            yield from families
            if self._decisions:
                yield from self._decisions.collect()
