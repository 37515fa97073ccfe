"""The metrics that a monitoring agent exposes: names in base units, as Prometheus advises."""

from __future__ import annotations

from typing import Literal, NamedTuple

VNF_LABELS = ("lab", "domain", "service", "vnf", "vnf_type", "vnf_class")


class MetricType(NamedTuple):
    """Counter or gauge, its help text, and its labels beyond those of every VNF."""

    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


METRICS = {
    "vnf_up": MetricType("gauge", "1 if every source of the VNF's metrics could be read"),
    "vnf_cpu_seconds": MetricType("counter", "CPU time of the VNF's control group"),
    "vnf_cpu_quota_cores": MetricType("gauge", "CPU cores that the VNF is allotted"),
    "vnf_cpu_throttled_seconds": MetricType("counter", "Time for which the CPU quota held the VNF back"),
    "vnf_memory_bytes": MetricType("gauge", "Working set: memory in use less inactive file pages"),
    "vnf_memory_limit_bytes": MetricType("gauge", "Memory that the VNF is allotted"),
    "vnf_storage_written_bytes": MetricType("counter", "Bytes written to storage"),
    "vnf_storage_limit_bytes_per_second": MetricType("gauge", "Storage write rate that the VNF is allotted"),
    "vnf_network_receive_bytes": MetricType("counter", "Bytes received on the VNF's interfaces"),
    "vnf_network_transmit_bytes": MetricType("counter", "Bytes sent on the VNF's interfaces"),
    "vnf_network_limit_bytes_per_second": MetricType("gauge", "Network rate that the VNF is allotted"),
    "vnf_dpi_packets": MetricType(
        "counter", "Packets inspected, by the class found and source address", ("protocol", "camera")
    ),
    "vnf_dpi_bytes": MetricType(
        "counter", "Bytes inspected, by the class found and source address", ("protocol", "camera")
    ),
    "vnf_dpi_dropped_packets": MetricType("counter", "Packets that the engine's capture had no room for"),
    "vnf_forwarded_packets": MetricType(
        "counter", "Packets that matched a forwarding rule of the VNF's switch"
    ),
    "vnf_forwarded_bytes": MetricType("counter", "Bytes that matched a forwarding rule of the VNF's switch"),
    "vnf_flow_packets": MetricType(
        "counter", "Packets that matched a rule for one pair of addresses", ("source", "destination")
    ),
    "vnf_flow_bytes": MetricType(
        "counter", "Bytes that matched a rule for one pair of addresses", ("source", "destination")
    ),
}
"""Counters get their suffix ``_total`` when they are written out."""
