"""Open vSwitch instances of our own: each with its own database, sockets and namespace."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbedctl.errors import RunFailed
from testbedctl.host.process import run

SCHEMA_PLACES = (
    Path("/usr/share/openvswitch/vswitch.ovsschema"),
    Path("/usr/local/share/openvswitch/vswitch.ovsschema"),
)


@dataclass(frozen=True)
class Instance:
    """One ``ovsdb-server`` and one ``ovs-vswitchd``, all of whose files live in ``directory``."""

    directory: Path

    @property
    def database(self) -> str:
        """Where clients reach the database."""
        return f"unix:{self.directory}/db.sock"

    @property
    def control(self) -> Path:
        """The switch daemon's control socket (``ovs-appctl -t``)."""
        return self.directory / "ctl.sock"

    def management(self, bridge: str) -> str:
        """The OpenFlow connection of a bridge, for ``ovs-ofctl``."""
        return f"unix:{self.directory}/{bridge}.mgmt"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that keep the daemons' files out of the machine's own Open vSwitch."""
        return {
            "OVS_RUNDIR": str(self.directory),
            "OVS_LOGDIR": str(self.directory),
            "OVS_DBDIR": str(self.directory),
        }

    def database_argv(self) -> list[str]:
        """How to run the database server in the foreground."""
        return [
            "ovsdb-server",
            f"{self.directory}/conf.db",
            f"--remote=punix:{self.directory}/db.sock",
            f"--unixctl={self.directory}/dbctl.sock",
            "--no-chdir",
            "-vconsole:warn",
            "-vsyslog:off",
            "-vfile:off",
        ]

    def switch_argv(self) -> list[str]:
        """How to run the switch daemon in the foreground."""
        return [
            "ovs-vswitchd",
            self.database,
            f"--unixctl={self.control}",
            "--no-chdir",
            "-vconsole:warn",
            "-vsyslog:off",
            "-vfile:off",
        ]

    def create_database(self) -> None:
        """Make an empty database; raises ``RunFailed`` where Open vSwitch is not installed."""
        schema = next((p for p in SCHEMA_PLACES if p.is_file()), None)
        if schema is None:
            raise RunFailed("Open vSwitch's database schema is not installed", hint="run 'testbedctl doctor'")
        run(["ovsdb-tool", "create", f"{self.directory}/conf.db", str(schema)])

    def wait_for(self, path: Path, deadline: float) -> None:
        """Return once a daemon accepts at a socket; ``RunFailed`` at the monotonic ``deadline``."""
        while not _accepts(path):
            if time.monotonic() > deadline:
                raise RunFailed(f"Open vSwitch did not open {path} in time")
            time.sleep(0.005)  # bounded by the deadline

    def transact(self, commands: Sequence[Sequence[str]], *, timeout_s: int = 20) -> None:
        """Run many ``ovs-vsctl`` commands as one transaction and wait until the switch carries it out."""
        argv = ["ovs-vsctl", f"--db={self.database}", f"--timeout={timeout_s}"]
        for command in commands:
            argv += ["--", *command]
        run(argv, timeout_s=timeout_s + 5)

    def datapath_type(self, bridge: str) -> str:
        """What forwards for a bridge: ``netdev`` (user space) or ``system`` (the kernel)."""
        argv = ["ovs-vsctl", f"--db={self.database}", "--timeout=5", "get", "bridge", bridge, "datapath_type"]
        return run(argv).strip().strip('"') or "system"  # Open vSwitch's default is the empty name

    def add_flows(self, bridge: str, flows: Sequence[str]) -> None:
        """Install OpenFlow rules in one atomic bundle."""
        run(
            ["ovs-ofctl", "-O", "OpenFlow14", "--bundle", "add-flows", self.management(bridge), "-"],
            stdin="\n".join(flows) + "\n",
        )


def _accepts(path: Path) -> bool:
    """Whether somebody listens: the file alone is there a moment before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return client.connect_ex(str(path)) == 0
