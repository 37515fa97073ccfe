"""A lab that exists on this host: its files, its nodes, and how to run something on them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbedctl.backends.local.plan import MANAGEMENT, Plan
from testbedctl.backends.local.planner import plan
from testbedctl.errors import HostUnfit, RunFailed, UsageError
from testbedctl.host import cgroup, netns, paths, process
from testbedctl.host.journal import Journal
from testbedctl.host.lock import held
from testbedctl.host.process import ProcessId
from testbedctl.spec.quoting import quote
from testbedctl.spec.testbed import Testbed

if TYPE_CHECKING:
    from testbedctl.sdn.client import Controller

USER_PROGRAM = "command "
"""How the names of a user's own programs begin."""

PROMETHEUS_PORT = 9090
PROMETHEUS_URL = f"http://10.255.0.1:{PROMETHEUS_PORT}"


@dataclass(frozen=True)
class Daemon:
    """A program of the lab as the journal knows it."""

    name: str
    node: str
    process: ProcessId

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.alive()


class Lab:
    """Everything that later commands need to know of a lab; built from its journal alone."""

    def __init__(self, name: str):
        self.name = name
        self.state = paths.state_dir(name)
        self.moving = paths.moving_dir(name)
        self.runtime = paths.runtime_dir(name)
        self.logs = self.state / "logs"
        self.journal_file = self.state / "journal.jsonl"
        self.journal = Journal(self.journal_file)
        self.group = f"testbedctl/{name}"

    @property
    def lock(self) -> Path:
        """The lab's lock file."""
        return paths.lock_file(self.name)

    @contextmanager
    def locked(self, wait_s: float) -> Iterator[None]:
        """Hold the lab for the body; afterwards no trace is left of a state directory without labs."""
        with held(self.lock, f"the lab {self.name}", wait_s=wait_s):
            yield
        with contextlib.suppress(OSError):  # other labs are there, or have just come
            paths.state_root().rmdir()

    @property
    def token_file(self) -> Path:
        """The controller's token, readable by root alone."""
        return self.runtime / "token"

    @property
    def northbound(self) -> Path:
        """The Unix socket of the controller's northbound interface."""
        return self.runtime / "northbound.sock"

    def dpi_stats(self, node: str) -> Path:
        """Where the inspection engine of a vDPI keeps its counters."""
        return self.runtime / f"dpi.{node.replace('/', '.')}.json"

    @cached_property
    def header(self) -> dict[str, Any]:
        """The journal's first record: the lab's spec and when it was made."""
        first = next(self.journal.find("lab"), None)
        if first is None:
            raise UsageError(
                f"the lab {self.name} was never begun", hint=f"testbedctl down --lab {self.name}"
            )
        return first

    @cached_property
    def plan(self) -> Plan:
        """The plan, made again from the spec in the journal."""
        return plan(Testbed.model_validate(self.header["testbed"]), self.name)

    @cached_property
    def hierarchy(self) -> cgroup.Hierarchy:
        """The host's control groups."""
        return cgroup.detect()

    @property
    def is_up(self) -> bool:
        """Whether ``up`` ran to its end."""
        return self.journal.has("up")

    def daemons(self) -> list[Daemon]:
        """The programs that ``up`` started, in that order."""
        return [
            Daemon(r["name"], r["node"], ProcessId(r["pid"], r["ticks"]))
            for r in self.journal.find("process")
        ]

    def groups(self, node: str) -> list[Path]:
        """The control-group directories of a node; empty where it has none."""
        group = self.plan.nodes[node].group
        return self.hierarchy.directories(group) if group else []

    def exec(
        self, node: str, argv: Sequence[str], *, stdout: Path | None = None, stderr: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program on a node; it ends with this process (``ports.Nodes``)."""
        there = self.plan.node(node)
        return process.spawn(
            argv,
            netns=there.netns,
            cgroups=self.groups(there.key),
            stdout=stdout or subprocess.PIPE,
            stderr=stderr or subprocess.PIPE,
            die_with_parent=True,
        )

    def controller(self, timeout_s: float = 10.0) -> Controller:
        """A client of the lab's controller; it is given up on when it has not answered for ``timeout_s``."""
        from testbedctl.sdn.client import Controller

        return Controller(f"unix:{self.northbound}", self.token_file.read_text().strip(), timeout_s)

    @property
    def decisions(self) -> Path:
        """How many decisions of each kind policies have made in this lab."""
        return self.runtime / "decisions.json"

    @contextmanager
    def inside_management(self) -> Iterator[None]:
        """Let this thread talk to the lab's Prometheus and agents for the body."""
        with netns.inside(self.plan.nodes[MANAGEMENT].netns):
            yield


def require_root() -> None:
    """Raise ``HostUnfit`` if only root can do what was asked for."""
    if os.geteuid() != 0:
        raise HostUnfit("not root: only root can see or change a lab", hint="put 'sudo' in front")


def find(name: str | None, known: Sequence[str] | None = None) -> Lab:
    """The lab with this name, or the only one there is. ``known`` defaults to all that have a journal.

    Raises ``UsageError`` naming those that exist, ``HostUnfit`` if only root can look into them.
    """
    require_root()
    known = paths.labs() if known is None else known
    if name is None and len(known) == 1:
        name = known[0]
    if name is None:
        problem = "no lab is up" if not known else "more than one lab is up: name one with --lab"
        raise UsageError(
            problem, hint=f"labs: {', '.join(known)}" if known else "start one with 'testbedctl up'"
        )
    if name not in known:
        listed = f"labs: {', '.join(known)}" if known else "start one with 'testbedctl up'"
        raise UsageError(f"there is no lab {quote(name)} on this host", hint=listed)
    return Lab(name)


def running(name: str | None) -> Lab:
    """The lab with this name, wholly up. Raises ``RunFailed`` naming programs of it that have ended."""
    lab = find(name)
    if not lab.is_up:
        raise UsageError(f"the lab {lab.name} is not wholly up", hint=f"testbedctl down --lab {lab.name}")
    dead = [d.name for d in lab.daemons() if not d.alive()]
    if dead:
        raise RunFailed(
            f"programs of the lab {lab.name} have ended: {', '.join(dead)}",
            hint=f"testbedctl logs --lab {lab.name}, then down and up again",
        )
    return lab
