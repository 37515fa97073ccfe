"""The runs of a directory: found by path, name or prefix, listed, removed."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from testbedctl.errors import Busy, Inconclusive, InvalidFile, RunFailed, UsageError
from testbedctl.records.reader import RunReader


def runs_dir() -> Path:
    """Where runs are kept: ``$TESTBEDCTL_RUNS``, or ``runs`` in the working directory."""
    return Path(os.environ.get("TESTBEDCTL_RUNS") or "runs")


@dataclass(frozen=True)
class Listing:
    """All runs of a directory, oldest first, and the damaged ones with what is wrong with them."""

    runs: list[RunReader]
    damaged: list[tuple[Path, InvalidFile]]


@dataclass(frozen=True)
class Found:
    """A run, and the newer ones that were passed over because they are not complete."""

    run: RunReader
    passed_over: list[str]


def list_runs(directory: Path | None = None) -> Listing:
    """The runs in ``directory`` (default ``runs_dir()``), ordered by the time of their creation."""
    listing = Listing([], [])
    for manifest in sorted((directory or runs_dir()).glob("*/manifest.json")):
        try:
            listing.runs.append(RunReader(manifest.parent))
        except InvalidFile as error:
            listing.damaged.append((manifest.parent, error))
    listing.runs.sort(key=_age)
    return listing


def find_run(reference: Path | str | None = None, directory: Path | None = None) -> Found:
    """The run meant by a directory, a name, a unique prefix of a name, or, for None, the newest complete.

    Raises UsageError when nothing or more than one fits, Inconclusive when no run is complete.
    """
    if reference is None:
        return _newest_complete(directory or runs_dir())
    if (Path(reference) / "manifest.json").is_file():
        return Found(RunReader(Path(reference)), [])
    return Found(_by_prefix(str(reference), directory or runs_dir()), [])


def remove_run(run: RunReader) -> None:
    """Delete a run's directory. Raises Busy while it is being written, UsageError for a link to one."""
    if run.status == "running":
        pid = run.manifest.holder.pid if run.manifest.holder else "unknown"
        raise Busy(f"{run.path} is being written by process {pid}", hint="end that run first")
    if run.path.is_symlink():
        raise UsageError(f"{run.path} is a link, not a run directory")
    try:
        shutil.rmtree(run.path)
    except OSError as error:
        raise RunFailed(f"cannot remove {run.path}: {error.strerror or error}") from error


def _age(run: RunReader) -> tuple[str, str]:
    return run.manifest.created or "", run.name


def _newest_complete(directory: Path) -> Found:
    listing = list_runs(directory)
    complete = [run for run in listing.runs if run.status == "complete"]
    if not complete:
        raise Inconclusive(
            f"no complete run in {directory}",
            hint="run 'testbedctl stress', name a run, or set TESTBEDCTL_RUNS",
        )
    newer = listing.runs[listing.runs.index(complete[-1]) + 1 :]
    passed_over = [f"{run.name} ({run.status})" for run in newer]
    damaged = [f"{path.name} (damaged)" for path, _ in listing.damaged if path.name > complete[-1].name]
    return Found(complete[-1], passed_over + damaged)


def _by_prefix(name: str, directory: Path) -> RunReader:
    wanted = name.removesuffix(".partial")
    fitting = [path.parent for path in sorted(directory.glob("*/manifest.json"))]
    fitting = [path for path in fitting if wanted and path.name.startswith(wanted)]
    exact = [path for path in fitting if path.name.removesuffix(".partial") == wanted]
    if len(exact or fitting) == 1:
        return RunReader((exact or fitting)[0])
    if fitting:
        names = ", ".join(path.name for path in fitting)
        raise UsageError(f"{name!r} fits more than one run: {names}", hint="give more of the name")
    raise UsageError(f"there is no run {name!r} in {directory}", hint="see 'testbedctl runs list'")
