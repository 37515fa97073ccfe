"""Importing public traces: every row read, put on the time grid, or named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbedctl.errors import InvalidFile, Place
from testbedctl.forecast.dataset.dialect import Head, read_head
from testbedctl.forecast.dataset.faults import FaultLog
from testbedctl.forecast.dataset.grid import SHORT, VmGrid, check_steps, is_other, median_step
from testbedctl.forecast.dataset.manifest import Facts, Manifest, fault_records
from testbedctl.forecast.dataset.rows import read_rows
from testbedctl.forecast.dataset.source import Source, TraceFile, opened_source
from testbedctl.forecast.dataset.stamps import CLOCKS
from testbedctl.forecast.dataset.writer import DatasetWriter, writing
from testbedctl.units import count, percent

if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_OFF_GRID_SHARE = 0.1
"""More rows off the grid are of several VMs in one file: two of one length have half. The Bitbrains month, in
which three VMs have two series in each other, has 0.3 %."""

ONE_VM = (
    "each file is one VM: if this has several, told apart by a column that is not known, make a file of each"
)


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

    ``observe`` is called after each block of a file. A VM with another step than most is left out, and its
    rows are broken. Raises InvalidFile for an unknown dialect, a share of broken rows above
    ``max_broken_share``, and several VMs in one file, each naming its places.
    """
    with opened_source(path) as source, writing(output, "trace", replace=replace) as writer:
        heads = _heads(source)
        work = _Import(writer, median_step([head.unix_s for head in heads], str(path)), observe)
        work.total_bytes = sum(file.size for file in source.files)
        for file, head in zip(source.files, heads, strict=True):
            work.add(file, head)
        work.check(path, max_broken_share)
        work.leave_out()
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
        self._others: dict[str, str] = {}
        self._empty: list[str] = []

    def add(self, file: TraceFile, head: Head) -> None:
        """Read one VM."""
        log = FaultLog()
        grid, numbers = VmGrid(file.name, self.step_s, log), head.dialect.numbers
        line, of_it, read_before = 2, 0, self.rows_read
        for block in file.blocks():
            broken = log.broken
            rows = read_rows(block, head.dialect, line, file.name, log)
            self.rows_read += len(rows.unix_s) + log.broken - broken
            kept, gaps = grid.place(rows)
            self._writer.append(file.vm, kept.unix_s, dict(zip(numbers, kept.values, strict=True)), gaps)
            line += block.count(b"\n")
            of_it += len(block)
            self._tell(file, of_it)
        self._done_bytes += file.size
        self._tell(file, 0)
        self._judge(file, grid, log, self.rows_read - read_before)

    def _judge(self, file: TraceFile, grid: VmGrid, log: FaultLog, rows_read: int) -> None:
        """Take over the faults of a VM; one with another step is a fault as a whole."""
        own_s = self._own_steps[file.name] = grid.own_step_s
        if is_other(own_s, self.step_s):
            self._others[file.vm] = f"a row every {own_s:g} s"
            self.log.note("step", Place(file.name, 1, 1, self._others[file.vm]), rows_read)
        else:
            self.log.join(log)
        if not grid.rows:
            self._empty.append(file.name)

    def check(self, path: Path, max_broken_share: float) -> None:
        """Raises InvalidFile if too many rows were broken, of VMs with another step, or off the grid."""
        counts = self.log.counts
        share = self.log.broken / self.rows_read if self.rows_read else 0.0
        if share > max_broken_share:
            if 2 * counts["step"] > self.log.broken:
                check_steps(self._own_steps, self.step_s)
            raise InvalidFile(
                f"{path}: {self.log.broken} of {count(self.rows_read, 'row')} are broken "
                f"({percent(share):.3g} %, allowed are {percent(max_broken_share):.3g} %)",
                places=self.log.broken_places(),
                hint=ONE_VM
                if 2 * counts["conflict"] > self.log.broken
                else "mend the file, or allow more with --max-broken-share",
            )
        self._check_grid(path)

    def _check_grid(self, path: Path) -> None:
        off_grid = self.log.counts["off-grid"]
        if off_grid > MAX_OFF_GRID_SHARE * self.rows_read:
            raise InvalidFile(
                f"{path}: {off_grid} of {count(self.rows_read, 'row')} are less than half a step "
                "after the row before",
                places=self.log.places["off-grid"],
                hint=ONE_VM,
            )

    def leave_out(self) -> None:
        """Take VMs with another step out of the data set."""
        if self._others:
            self._writer.leave_out(self._others)

    def warnings(self) -> list[str]:
        """What a user should know of single VMs."""
        short = [vm for vm, record in self._writer.vms.items() if record.rows < SHORT]
        told = [f"fewer than {SHORT} rows: {_listed(short)}"] if short else []
        if self._others:
            others = [f"{vm} ({step})" for vm, step in self._others.items()]
            told.append(f"left out, as their step is not {self.step_s:g} s: {_listed(others)}")
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
