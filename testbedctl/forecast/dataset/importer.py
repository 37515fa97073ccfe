"""Importing public traces: every row read, put on the time grid, or named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbedctl.errors import InvalidFile, Place
from testbedctl.forecast.dataset.dialect import Head, read_head
from testbedctl.forecast.dataset.faults import FaultLog
from testbedctl.forecast.dataset.grid import SHORT, VmGrid, check_steps, median_step
from testbedctl.forecast.dataset.manifest import Facts, Manifest, fault_records
from testbedctl.forecast.dataset.rows import read_rows
from testbedctl.forecast.dataset.source import Source, TraceFile, opened_source
from testbedctl.forecast.dataset.stamps import CLOCKS
from testbedctl.forecast.dataset.writer import DatasetWriter, writing
from testbedctl.units import count, percent

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Progress:
    """How far an import is: bytes read of all, rows, and the file that is being read."""

    done_bytes: int
    total_bytes: int
    rows: int
    file: str


def import_traces(
    path: Path,
    output: Path,
    *,
    name: str | None = None,
    terms: str,
    max_broken_share: float,
    replace: bool = False,
    observe: Callable[[Progress], None] = lambda _: None,
) -> Manifest:
    """Make the data set ``output`` of the GWA-T-12 or GWA-T-13 traces in ``path`` (slicing paper, §4).

    ``observe`` is called after each block of a file. Raises InvalidFile for an unknown dialect, a mixture of
    steps, and a share of broken rows above ``max_broken_share``, each naming its places.
    """
    with opened_source(path) as source, writing(output, "trace", replace=replace) as writer:
        heads = _heads(source)
        work = _Import(writer, median_step([head.unix_s for head in heads], str(path)), observe)
        work.total_bytes = sum(file.size for file in source.files)
        for file, head in zip(source.files, heads, strict=True):
            work.add(file, head)
        work.check(path, max_broken_share)
        return writer.finish(
            Facts(
                name=name or path.resolve().stem,
                source=path.resolve().name,
                terms=terms,
                format=", ".join(sorted({head.dialect.format for head in heads})),
                clock="; ".join(CLOCKS[clock] for clock in sorted({head.dialect.clock for head in heads})),
                step_s=work.step_s,
                rows_read=work.rows_read,
                faults=fault_records(work.log),
                warnings=[*_passed_over(source, heads), *work.warnings()],
            )
        )


class _Import:
    """What is counted while the files of one import are read."""

    def __init__(self, writer: DatasetWriter, step_s: float, observe: Callable[[Progress], None]):
        self.step_s = step_s
        self.log = FaultLog()
        self.rows_read = self.total_bytes = 0
        self._writer, self._observe = writer, observe
        self._done_bytes = 0
        self._own_steps: dict[str, float | None] = {}
        self._empty: list[str] = []

    def add(self, file: TraceFile, head: Head) -> None:
        """Read one VM."""
        grid, numbers = VmGrid(file.name, self.step_s, self.log), head.dialect.numbers
        line, of_it = 2, 0
        for block in file.blocks():
            broken = self.log.broken
            rows = read_rows(block, head.dialect, line, file.name, self.log)
            self.rows_read += len(rows.unix_s) + self.log.broken - broken
            kept, gaps = grid.place(rows)
            self._writer.append(file.vm, kept.unix_s, dict(zip(numbers, kept.values, strict=True)), gaps)
            line += block.count(b"\n")
            of_it += len(block)
            self._tell(file, of_it)
        self._done_bytes += file.size
        self._tell(file, 0)
        self._own_steps[file.name] = grid.own_step_s
        if not grid.rows:
            self._empty.append(file.name)

    def check(self, path: Path, max_broken_share: float) -> None:
        """Raises InvalidFile if too many rows were broken, or a VM has another step."""
        share = self.log.broken / self.rows_read if self.rows_read else 0.0
        if share > max_broken_share:
            raise InvalidFile(
                f"{path}: {self.log.broken} of {count(self.rows_read, 'row')} are broken "
                f"({percent(share):.3g} %, allowed are {percent(max_broken_share):.3g} %)",
                places=self.log.broken_places(),
                hint="mend the file, or allow more with --max-broken-share",
            )
        check_steps(self._own_steps, self.step_s)

    def warnings(self) -> list[str]:
        """What a user should know of single VMs."""
        short = [vm for vm, record in self._writer.vms.items() if record.rows < SHORT]
        told = [f"fewer than {SHORT} rows: {_listed(short)}"] if short else []
        return [*told, *([f"no row at all: {_listed(self._empty)}"] if self._empty else [])]

    def _tell(self, file: TraceFile, of_it: int) -> None:
        self._observe(Progress(self._done_bytes + of_it, self.total_bytes, self.rows_read, file.name))


def _heads(source: Source) -> list[Head]:
    """The head of every file. Raises InvalidFile with the places of all that are in no known dialect."""
    found = [read_head(file.head(), file.name) for file in source.files]
    wrong = [head for head in found if isinstance(head, Place)]
    if wrong:
        raise InvalidFile(
            f"{len(wrong)} of {count(len(found), 'file')} are in no known dialect of GWA-T-12 or GWA-T-13",
            places=wrong[:20],
            hint="the formats are described in docs/reference/dataset-format.md",
        )
    return [head for head in found if isinstance(head, Head)]


def _passed_over(source: Source, heads: Sequence[Head]) -> list[str]:
    unknown = sorted({name for head in heads for name in head.unknown})
    told = [f"columns that are not known and were left out: {_listed(unknown)}"] if unknown else []
    if source.passed_over:
        told.append(f"no .csv and not read: {_listed(source.passed_over)}")
    return told


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
