"""Small traces in every dialect: own numbers, in the forms of the Grid Workloads Archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbedctl.forecast.dataset.importer import import_traces
from testbedctl.forecast.dataset.manifest import Manifest

BEGIN_S = 1_400_000_100
STEP_S = 300

HEADER_12 = (
    "Timestamp [ms];\tCPU cores;\tCPU capacity provisioned [MHZ];\tCPU usage [MHZ];\tCPU usage [%];\t"
    "Memory capacity provisioned [KB];\tMemory usage [KB];\tDisk read throughput [KB/s];\t"
    "Disk write throughput [KB/s];\tNetwork received throughput [KB/s];\t"
    "Network transmitted throughput [KB/s]"
)
HEADER_13 = (
    "Timestamp", "CPU cores", "CPU capacity provisioned [MHZ]", "CPU usage [MHZ]", "CPU usage [%]",
    "Memory capacity provisioned [KB]", "Memory usage [KB]", "Memory usage [%]",
    "Disk read throughput [KB/s]", "Disk write throughput [KB/s]", "Disk size [GB]",
    "Network received throughput [KB/s]", "Network transmitted throughput [KB/s]",
)  # fmt: skip


@dataclass
class Row:
    """One row; what is not given follows from its number."""

    number: int
    unix_s: float | None = None
    fields: dict[int, str] = field(default_factory=dict)

    @property
    def at_s(self) -> float:
        return BEGIN_S + STEP_S * self.number if self.unix_s is None else self.unix_s

    def values(self) -> list[float]:
        """The eleven numbers that both formats have but the time, in the order of GWA-T-12."""
        n = self.number
        return [
            2,
            5200.5,
            100.25 + n,
            2.5,
            4194304,
            1000000 + 10.5 * n,
            0,
            14.75 + n % 3,
            12.5 + n % 5,
            45 - n % 7,
        ]


def rows(count: int, first: int = 0) -> list[Row]:
    return [Row(number) for number in range(first, first + count)]


def gwa_12(wanted: Sequence[Row], *, scale: int = 1) -> str:
    """As Bitbrains's: a tab after each semicolon, seconds (or true milliseconds with ``scale`` 1000)."""
    lines = [_text([f"{row.at_s * scale:.0f}", *map(str, row.values())], row) for row in wanted]
    return "\n".join([HEADER_12, *(";\t".join(fields) for fields in lines)]) + "\n"


def gwa_13_semicolons(wanted: Sequence[Row], *, decimal: str = ",") -> str:
    """As the archive's own Materna."""
    return "\n".join([";".join(HEADER_13), *(";".join(f) for f in _lines_13(wanted, decimal))]) + "\n"


def gwa_13_quoted(wanted: Sequence[Row]) -> str:
    """As the re-export: quoted, decimal commas between commas."""
    lines = [HEADER_13, *_lines_13(wanted, ",")]
    return "\n".join(",".join(f'"{each}"' for each in fields) for fields in lines) + "\n"


def _lines_13(wanted: Sequence[Row], decimal: str) -> list[list[str]]:
    lines = []
    for row in wanted:
        stamp = datetime.fromtimestamp(row.at_s, UTC).strftime("%d.%m.%Y %H:%M:%S")
        numbers = row.values()
        numbers = [*numbers[:6], 25.05, *numbers[6:8], 54, *numbers[8:]]
        lines.append(_text([stamp, *(str(n).replace(".", decimal) for n in numbers)], row))
    return lines


def _text(fields: list[str], row: Row) -> list[str]:
    return [row.fields.get(index, text) for index, text in enumerate(fields)]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def imported(path: Path, output: Path, **options: Any) -> Manifest:
    """Import with the options of the command's defaults."""
    return import_traces(path, output, **{"terms": "own", "max_broken_share": 0.01, **options})


def counts(manifest: Manifest) -> dict[str, int]:
    return {kind: fault.count for kind, fault in manifest.faults.items()}


def places(manifest: Manifest, kind: str) -> list[tuple[str, int, int]]:
    return [(Path(p.file).name, p.line, p.column) for p in manifest.faults[kind].places]
