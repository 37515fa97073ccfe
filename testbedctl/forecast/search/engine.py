"""Where the workers of a search run: in this process, in several of this machine, or as tasks of Ray."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any, Literal

from testbedctl.errors import HostUnfit, RunFailed, TestbedError
from testbedctl.forecast.search.study import Progress, progress_of, reclaim
from testbedctl.forecast.search.worker import Assignment, work
from testbedctl.host import process

if TYPE_CHECKING:
    import optuna

Engine = Literal["local", "ray"]
Observe = Callable[[Progress], None]
_LOOK_S = 0.5


def search(assignment: Assignment, engine: Engine, workers: int, observe: Observe) -> Progress:
    """Search until the budget ends, and say how the search stands; ``observe`` sees it go on.

    A search that was interrupted goes on: the trials that were cut off come first. Raises ``HostUnfit``
    without Ray, and what the workers raise.
    """
    if engine == "ray" and find_spec("ray") is None:
        raise HostUnfit(
            "ray is not installed",
            hint="`./setup.sh train` in a checkout, else `pip install 'testbedctl[fleet]'`",
        )
    study = assignment.study()
    reclaim(study)
    with TemporaryDirectory(prefix="testbedctl-search-") as scratch:
        placed = assignment.model_copy(update={"scratch": Path(scratch)})
        try:
            if engine == "ray":
                _with_ray(placed, study, workers, observe)
            elif workers == 1:
                work(placed, observe)
            else:
                _with_processes(placed, study, workers, observe)
        finally:
            reclaim(study)
    return progress_of(study)


def _with_processes(assignment: Assignment, study: optuna.Study, workers: int, observe: Observe) -> None:
    """Children that die with this process; what one of them raises ends the others."""
    argv = [sys.executable, "-m", "testbedctl.forecast.search", assignment.model_dump_json()]
    logs = [_scratch(assignment) / f"{number}.log" for number in range(workers)]
    children = [
        process.spawn(argv, die_with_parent=True, stdout=subprocess.DEVNULL, stderr=log) for log in logs
    ]
    try:
        running = True
        while running:
            running = any(child.poll() is None for child in children)
            for child, log in zip(children, logs, strict=True):
                if child.returncode:
                    raise _failure(log)
            observe(progress_of(study))
            time.sleep(_LOOK_S if running else 0)
    finally:
        _end(children)


def _scratch(assignment: Assignment) -> Path:
    return assignment.scratch or Path(gettempdir())


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.kill()  # nothing is lost: its trial is given back
        child.wait()


def _failure(log: Path) -> TestbedError:
    """What a worker said last."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
    try:
        told = json.loads(lines[-1])["error"]
    except (ValueError, KeyError, TypeError):
        return RunFailed(
            f"a worker of the search failed: {lines[-1]}", hint="run it with --workers 1 to see where"
        )
    return RunFailed(f"a worker of the search failed: {told['message']}", hint=told["hint"])


def _with_ray(assignment: Assignment, study: optuna.Study, workers: int, observe: Observe) -> None:
    """Each worker a task of a Ray that lives as long as the search and listens on the loopback alone."""
    with _ray(workers, _scratch(assignment)) as ray:
        task = ray.remote(num_cpus=1, max_retries=0)(_task)
        waiting = [task.remote(assignment.model_dump_json()) for _ in range(workers)]
        while waiting:
            done, waiting = ray.wait(waiting, timeout=_LOOK_S)
            observe(progress_of(study))
            for error in filter(None, ray.get(done)):
                raise RunFailed(f"a worker of the search failed: {error['message']}", hint=error["hint"])


def _task(assignment: str) -> dict[str, Any] | None:
    """What runs on Ray: None, or the error as plain data."""
    try:
        work(Assignment.model_validate_json(assignment), lambda _progress: None)
    except TestbedError as error:
        return {"message": error.message, "hint": error.hint}
    return None


@contextmanager
def _ray(workers: int, scratch: Path) -> Iterator[Any]:
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to anybody
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # without clusters Ray binds to the loopback, here too
        "RAY_AUTH_TOKEN": secrets.token_hex(32),  # else Ray leaves one in the home directory
    }
    ray = import_module("ray")
    ended_by = signal.getsignal(signal.SIGTERM)
    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=str(scratch / "ray"),
    )
    signal.signal(signal.SIGTERM, ended_by)  # Ray has put its own there, which exits with another code
    try:
        if not ip_address(ray.util.get_node_ip_address()).is_loopback:
            raise RunFailed(
                "Ray would listen beyond this machine: something has imported it before the search",
                hint="run the search in a process of its own",
            )
        yield ray
    finally:
        ray.shutdown()
