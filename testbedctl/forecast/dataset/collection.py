"""Collecting telemetry: one series per trial and VNF of finished runs (``docs/reference/run-format.md``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from testbedctl.errors import Inconclusive, UsageError
from testbedctl.forecast.dataset.arrays import numbers
from testbedctl.forecast.dataset.faults import FaultLog
from testbedctl.forecast.dataset.features import TELEMETRY_COLUMNS
from testbedctl.forecast.dataset.grid import Rows, VmGrid, median_step
from testbedctl.forecast.dataset.manifest import Manifest
from testbedctl.forecast.dataset.store import save_dataset
from testbedctl.forecast.series import Series
from testbedctl.records.reader import RunReader, TrialReader

TERMS = "recorded on the testbed of whoever collected it"


def collect_runs(
    runs: Sequence[RunReader], output: Path, *, name: str | None = None, replace: bool = False
) -> Manifest:
    """Make the data set ``output`` of the complete trials of ``runs``, in the units ``allotment``.

    A series is called ``run/trial/service/vnf``. A second in which one of the four resources was not measured
    is a gap. Raises Inconclusive if no trial is complete, UsageError for a run that is named twice.
    """
    names = [run.name for run in runs]
    if twice := sorted({each for each in names if names.count(each) > 1}):
        raise UsageError(f"named twice: {', '.join(twice)}")
    log = FaultLog()
    found = [each for run in runs for trial in run.trials for each in _vnfs(run, trial, log)]
    if not found:
        raise Inconclusive(
            f"no complete trial in {', '.join(names)}", hint="`testbedctl runs list` shows what is complete"
        )
    step_s = median_step([rows.unix_s for _, _, rows in found], ", ".join(names))
    placed = [(vm, VmGrid(file, step_s, log).place(rows)[0]) for vm, file, rows in found]
    return save_dataset(
        output,
        [Series(vm, rows.unix_s, rows.values.T.astype(np.float32)) for vm, rows in placed],
        name=name or output.resolve().name,
        source=", ".join(names),
        terms=TERMS,
        faults=log,
        rows_read=sum(len(rows.unix_s) for _, _, rows in found) + log.counts["not-measured"],
        replace=replace,
    )


def _vnfs(run: RunReader, trial: TrialReader, log: FaultLog) -> Iterator[tuple[str, str, Rows]]:
    """Series name, file and measured rows of each VNF that was measured at all; ``lines`` are rows from 1."""
    where = f"{run.name}/trials/{trial.path.name}/vnfs.parquet"
    table = trial.table("vnfs")
    unix_s = datetime.fromisoformat(trial.record.started).timestamp() + numbers(table.column("at_s"))
    values = np.stack([numbers(table.column(name)) for name in TELEMETRY_COLUMNS])
    measured = np.isfinite(values).all(axis=0)
    vnfs = np.array(table.column("vnf").to_pylist())
    missing = np.flatnonzero(~measured) + 1
    log.note_lines("not-measured", where, missing.tolist(), lambda _: "a resource was not measured")
    for vnf in sorted(set(vnfs[measured].tolist())):
        rows = np.flatnonzero((vnfs == vnf) & measured)
        yield f"{run.name}/{trial.path.name}/{vnf}", where, Rows(unix_s[rows], values[:, rows], rows + 1)
