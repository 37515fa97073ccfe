"""Reading a run, whole or not; what is damaged raises InvalidFile with the file's name."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.records.files import parse_json, parse_record, read_text
from testbedctl.records.holder import is_alive
from testbedctl.records.manifest import SCHEMA, Manifest, Status
from testbedctl.records.tables import read_table
from testbedctl.records.trial import Decision, TrialRecord

if TYPE_CHECKING:
    import pyarrow as pa


class TrialReader:
    """One trial whose ``trial.json`` was written."""

    def __init__(self, path: Path):
        self.path = path
        file = path / "trial.json"
        self.record = parse_record(TrialRecord, parse_json(read_text(file), file), file)

    def table(self, name: str) -> pa.Table:
        """A table of the trial by its name in ``tables.SCHEMAS``."""
        return read_table(self.path / f"{name}.parquet", name)

    def decisions(self) -> list[Decision]:
        """Every decision in the order of time."""
        file = self.path / "decisions.jsonl"
        lines = read_text(file).splitlines()
        entries = (parse_json(line, file, first_line=number) for number, line in enumerate(lines, 1))
        return [parse_record(Decision, entry, file) for entry in entries]


class RunReader:
    """A run directory. Raises UsageError if ``path`` is none, InvalidFile if its manifest is damaged or
    of a format that this version does not know."""

    def __init__(self, path: Path):
        self.path = path
        file = path / "manifest.json"
        if not file.is_file():
            raise UsageError(f"{path} is not a run directory: it has no manifest.json")
        document = parse_json(read_text(file), file)
        found = document.get("schema") if isinstance(document, dict) else None
        if found != SCHEMA:
            raise InvalidFile(
                f"{file} has the format {found!r}, this version reads {SCHEMA!r}",
                hint="use the version of testbedctl that wrote the run",
            )
        self.manifest = parse_record(Manifest, document, file)

    @property
    def name(self) -> str:
        """The run's name, without ``.partial``."""
        return self.manifest.run or self.path.name

    @property
    def status(self) -> Status:
        """The status; a run whose holder no longer lives is not running but aborted."""
        status, holder = self.manifest.status, self.manifest.holder
        if status == "running" and not (holder and is_alive(holder.pid, holder.start_ticks)):
            return "aborted"
        return status

    @property
    def cause(self) -> str | None:
        """Why the run failed or was aborted."""
        if self.status == "aborted" and self.manifest.status == "running":
            return "the process that wrote it is gone"
        return self.manifest.cause

    @cached_property
    def trials(self) -> list[TrialReader]:
        """The complete trials in the order in which they were run."""
        return [trial for trial in self._finished if trial.record.status == "complete"]

    @cached_property
    def invalid_trials(self) -> list[TrialReader]:
        """The trials that were measured, found invalid, and repeated."""
        return [trial for trial in self._finished if trial.record.status == "invalid"]

    @cached_property
    def _finished(self) -> list[TrialReader]:
        files = (self.path / "trials").glob("*/trial.json")
        return sorted((TrialReader(file.parent) for file in files), key=lambda trial: trial.record.n)

    def results(self) -> pa.Table | None:
        """``results.parquet``, or None in a run that is not complete."""
        file = self.path / "results.parquet"
        return read_table(file, "results") if self.status == "complete" else None
