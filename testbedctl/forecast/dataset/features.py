"""The columns of a data set: canonical names with their units, and the four that a forecaster learns from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from testbedctl.forecast.series import Units
from testbedctl.ports import RESOURCES

TRACE_COLUMNS = (
    "cpu_cores",
    "cpu_capacity_mhz",
    "cpu_usage_mhz",
    "cpu_usage_percent",
    "memory_capacity_kb",
    "memory_usage_kb",
    "memory_usage_percent",
    "disk_read_kbps",
    "disk_write_kbps",
    "disk_size_gb",
    "network_receive_kbps",
    "network_transmit_kbps",
)
"""What the Grid Workloads Archive's GWA-T-12 and GWA-T-13 record of a VM (``kbps`` = KB/s, as there)."""

TELEMETRY_COLUMNS = tuple(f"{resource}_ratio" for resource in RESOURCES)
"""What the testbed measures of a VNF: usage ÷ its allotment."""

COLUMNS: Mapping[Units, tuple[str, ...]] = MappingProxyType(
    {"trace": TRACE_COLUMNS, "allotment": TELEMETRY_COLUMNS}
)

PARTS: Mapping[Units, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "trace": {
            "cpu": ("cpu_usage_mhz",),
            "ram": ("memory_usage_kb",),
            "storage": ("disk_write_kbps",),
            "network": ("network_receive_kbps", "network_transmit_kbps"),
        },
        "allotment": {resource: (f"{resource}_ratio",) for resource in RESOURCES},
    }
)
"""The columns whose sum is each of ``ports.RESOURCES`` (predictive-slicing paper, §4)."""

NEEDED: Mapping[Units, tuple[str, ...]] = MappingProxyType(
    {units: tuple(name for names in parts.values() for name in names) for units, parts in PARTS.items()}
)
"""Columns without which there is nothing to learn from."""


def feature_names(units: Units) -> dict[str, str]:
    """``ports.RESOURCES`` to columns as ``Dataset.features`` has them, joined by ``+``."""
    return {resource: "+".join(names) for resource, names in PARTS[units].items()}


_SHOWN = {"cpu": "CPU", "mhz": "MHz", "kb": "KB", "kbps": "KB/s", "gb": "GB", "ram": "RAM", "percent": "%"}


def shown_name(column: str) -> str:
    """A column as a person writes it: ``disk write KB/s``."""
    return " ".join(_SHOWN.get(word, word) for word in column.split("_"))
