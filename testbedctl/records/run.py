"""Writing a run: a ``.partial`` directory that gets its final name when it is whole."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from testbedctl.errors import RunFailed, TestbedError
from testbedctl.records.files import (
    append_line,
    cannot_write,
    json_text,
    make_directory,
    sync_directory,
    write_bytes,
)
from testbedctl.records.holder import own_ticks
from testbedctl.records.manifest import Holder, Manifest, Planned, Status
from testbedctl.records.reader import RunReader
from testbedctl.records.tables import TRIAL_TABLES, write_table
from testbedctl.records.trial import Decision, TrialRecord

if TYPE_CHECKING:
    import pyarrow as pa

PARTIAL = ".partial"
Model = TypeVar("Model", bound=BaseModel)


class RunWriter:
    """A run that is being written. As a context manager it ends as ``aborted`` or ``failed`` when the
    block is left by an interruption or an error, and must have been completed otherwise."""

    def __init__(self, path: Path, manifest: Manifest):
        self.path = path
        self.manifest = manifest

    @classmethod
    def create(cls, runs_dir: Path, manifest: Manifest) -> RunWriter:
        """Make ``<runs_dir>/<UTC>-<profile>-<id>.partial`` with its manifest, status ``running``.

        The holder is this process. ``run`` and ``created`` are kept if the manifest names them already.
        """
        now = datetime.now(UTC)
        name = manifest.run or f"{now:%Y%m%dT%H%M%SZ}-{manifest.profile['name']}-{secrets.token_hex(3)}"
        head = _changed(
            manifest,
            run=name,
            status="running",
            holder=Holder(pid=os.getpid(), start_ticks=own_ticks()),
            created=manifest.created or now.isoformat(timespec="seconds"),
        )
        make_directory(runs_dir / (name + PARTIAL) / "trials")
        run = cls(runs_dir / (name + PARTIAL), head)
        run._write_manifest()
        return run

    def reader(self) -> RunReader:
        """What has been written so far."""
        return RunReader(self.path)

    def trial(self, n: int, arm: str) -> TrialWriter:
        """Begin the trial that is run as the ``n``-th (from 1).

        Its number within the arm follows the arm's complete trials, so a repeated trial keeps it.
        """
        finished = sum(trial.record.arm == arm for trial in self.reader().trials)
        path = self.path / "trials" / f"{n}-{re.sub('[^A-Za-z0-9._-]', '_', arm)[:60]}"
        return TrialWriter(path, Planned(n=n, arm=arm, trial=finished + 1))

    def warn(self, sentence: str) -> None:
        """Put a sentence on the first screen of every report of this run."""
        self.manifest = _changed(self.manifest, warnings=[*self.manifest.warnings, sentence])
        self._write_manifest()

    def complete(self, results: pa.Table | Sequence[Mapping[str, Any]]) -> Path:
        """Write ``results.parquet`` and give the run its final name, which is returned.

        Raises RunFailed when a planned trial is missing; the run then stays ``running``: ``fail`` it.
        """
        done = {(trial.record.arm, trial.record.trial) for trial in self.reader().trials}
        missing = [f"{p.arm} {p.trial}" for p in self.manifest.order if (p.arm, p.trial) not in done]
        if missing:
            raise RunFailed(f"the run is not whole, trials are missing: {', '.join(missing)}")
        write_table(self.path / "results.parquet", "results", results)
        self._end("complete", None)
        final = self.path.with_name(self.path.name.removesuffix(PARTIAL))
        try:
            self.path.rename(final)
            sync_directory(final.parent)
        except OSError as error:
            raise cannot_write(final, error) from error
        self.path = final
        return final

    def abort(self, cause: str) -> None:
        """End the run as interrupted. It keeps its ``.partial`` name and can be read."""
        self._end("aborted", cause)

    def fail(self, cause: str) -> None:
        """End the run as failed. It keeps its ``.partial`` name and can be read."""
        self._end("failed", cause)

    def _end(self, status: Status, cause: str | None) -> None:
        finished = self.manifest.finished or datetime.now(UTC).isoformat(timespec="seconds")
        self.manifest = _changed(self.manifest, status=status, cause=cause, finished=finished)
        self._write_manifest()

    def _write_manifest(self) -> None:
        write_bytes(self.path / "manifest.json", _document(self.manifest))

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self.manifest.status != "running":
            return
        if error is None:
            self.fail("the run ended without being completed")
            return
        # On a full disk the first error is the one to tell; without its holder the run reads as aborted.
        with suppress(RunFailed):
            if isinstance(error, TestbedError):
                self.fail(error.message)
            elif isinstance(error, Exception):
                self.fail(f"{type(error).__name__}: {error}")
            else:
                self.abort("interrupted")


class TrialWriter:
    """One trial that is being written; its tables first, ``write_trial`` last."""

    def __init__(self, path: Path, planned: Planned):
        self.path = path
        self.planned = planned
        self.iperf_dir = path / "iperf3"
        make_directory(self.iperf_dir)
        write_bytes(path / "decisions.jsonl", b"")

    def write_table(self, name: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> None:
        """Write ``flows``, ``steps``, ``vnfs``, ``hops`` or ``telemetry`` (``tables.SCHEMAS``).

        Raises RunFailed for an empty table, NaN, and columns that do not fit.
        """
        write_table(self.path / f"{name}.parquet", name, rows)

    def append_decision(self, decision: Mapping[str, Any]) -> None:
        """Append one decision (``trial.Decision``); ``n`` and ``trial`` are filled in."""
        entry = _checked(Decision, {**decision, "n": self.planned.n, "trial": self.planned.trial})
        append_line(self.path / "decisions.jsonl", json_text(entry.model_dump(mode="json")))

    def write_trial(self, record: Mapping[str, Any]) -> None:
        """Write ``trial.json`` (``trial.TrialRecord``), which ends the trial.

        ``n``, ``arm`` and ``trial`` are filled in. Raises RunFailed when a complete trial lacks a table.
        """
        entry = _checked(TrialRecord, {**record, **self.planned.model_dump()})
        missing = [name for name in TRIAL_TABLES if not (self.path / f"{name}.parquet").is_file()]
        if entry.status == "complete" and missing:
            raise RunFailed(f"{self.path}: a complete trial needs its tables {', '.join(missing)}")
        write_bytes(self.path / "trial.json", _document(entry))


def _changed(manifest: Manifest, **changes: object) -> Manifest:
    return _checked(Manifest, {**dict(manifest), **changes})


def _checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RunFailed(f"a record does not follow the run format: {error}") from error


def _document(record: BaseModel) -> bytes:
    return (json_text(record.model_dump(mode="json", by_alias=True), indent=2) + "\n").encode()
