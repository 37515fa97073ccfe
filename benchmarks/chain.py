"""100 switches in a line with a host each, up and down, against Mininet in the same run."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.command import LAB, own_state, run
from benchmarks.table import Row, spread

LENGTH = 100
RUNS = 3
NAMESPACE = "testbedctl-benchmark-mininet"


def measure() -> list[Row]:
    """Whole-process seconds of up + down; each run of ours is paired with one of Mininet's."""
    what = f"{LENGTH} switches in a line with a host each, up and down: times faster than Mininet"
    if not shutil.which("mn"):
        return [Row(what, "≥ 10", "", None, "Mininet is not installed: apt-get install mininet")]
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as directory, own_state():
        spec = Path(directory) / "chain.yaml"
        spec.write_text(_spec())
        for _ in range(RUNS):
            theirs.append(_mininet(directory))
            ours.append(run("up", str(spec), "--lab", LAB)[0] + run("down", "--lab", LAB)[0])
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    reached = f"{spread(ratios, '×', 1)}: {median(ours):.2f} s against {median(theirs):.2f} s"
    return [Row(what, "≥ 10", reached, median(ratios) >= 10)]


def _spec() -> str:
    numbers = range(1, LENGTH + 1)
    hosts = ", ".join(f"h{n}: {{}}" for n in numbers)
    switches = ", ".join(f"s{n}: {{}}" for n in numbers)
    links = [f"  - ends: [h{n}, s{n}]" for n in numbers] + [
        f"  - ends: [s{n}, s{n + 1}]" for n in numbers[:-1]
    ]
    return f"name: chain\nhosts: {{{hosts}}}\nswitches: {{{switches}}}\nlinks:\n" + "\n".join(links) + "\n"


def _mininet(directory: str) -> float:
    """Seconds of one Mininet run, in a namespace and with an Open vSwitch of its own."""
    with _open_vswitch(directory) as environment:
        argv = ["ip", "netns", "exec", NAMESPACE, "mn", "--topo", f"linear,{LENGTH}", "--controller", "none"]
        argv += ["--switch", "ovs,datapath=user", "--test", "none"]
        begun = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=300)
        seconds = time.monotonic() - begun
    said = re.search(r"completed in ([\d.]+) seconds", done.stdout + done.stderr)
    if done.returncode or not said:
        raise RuntimeError(f"Mininet failed: {done.stderr[-1000:]}")
    return seconds


@contextmanager
def _open_vswitch(directory: str) -> Iterator[dict[str, str]]:
    """The user-space switch that Mininet expects to be running; its start is not timed."""
    where = tempfile.mkdtemp(dir=directory)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "OVS_RUNDIR": where,
        "OVS_DBDIR": where,
        "OVS_LOGDIR": where,
    }
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    inside = ["ip", "netns", "exec", NAMESPACE]
    children: list[subprocess.Popen[bytes]] = []
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ovsdb-tool", "create", f"{where}/conf.db", schema], check=True)
        quiet = ["-vconsole:off", "-vsyslog:off", "-vfile:off", "--no-chdir"]
        database = [
            "ovsdb-server",
            f"{where}/conf.db",
            f"--remote=punix:{where}/db.sock",
            "--pidfile",
            *quiet,
        ]
        children.append(subprocess.Popen([*inside, *database], env=environment))
        _wait(Path(where) / "db.sock")
        switch = ["ovs-vswitchd", f"unix:{where}/db.sock", "--pidfile", *quiet]
        children.append(subprocess.Popen([*inside, *switch], env=environment))
        _wait(Path(where) / "ovs-vswitchd.pid")
        yield environment
    finally:
        for child in reversed(children):
            child.terminate()
            child.wait()
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)


def _wait(file: Path) -> None:
    deadline = time.monotonic() + 10
    while not file.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{file.name} did not appear: Open vSwitch does not start")
        time.sleep(0.01)
