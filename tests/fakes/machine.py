"""A machine of fake programs for ``setup.sh``.

The fake ``dpkg`` keeps its database in a file of "package status" lines; ``apt-get`` adds to it, asks the
service policy as every package's script does, and fails or stops where a test wants it to.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WANTED = {
    "openvswitch-switch",
    "iperf3",
    "prometheus",
    "prometheus-node-exporter",
    "iproute2",
    "ethtool",
    "tcpdump",
    "util-linux",
    "procps",
}
FAKES = {
    "id": 'echo "${FAKE_UID:-0}"',
    "apt-get": """
        echo "$*" >> "$FAKE/apt.calls"
        case "$*" in *update*) exit "${FAKE_UPDATE:-0}" ;; esac
        names=; for word; do names=$word\\ $names; [ "$word" = force-confold ] && names=; done
        set -- $(for w in $names; do case $w in -*|*=*|*::*|install) ;; *) echo "$w" ;; esac; done) libfake
        case "$(tail -n 1 "$FAKE/apt.calls")" in *--simulate*)
            [ -z "$FAKE_UNKNOWN" ] || { echo 'E: Unable to locate package iperf3' >&2; exit 100; }
            echo 'Inst libc6 [2.36-9] (2.36-10 Debian:12 [amd64])'
            for p; do echo "Inst $p (1.0 Debian:12 [amd64])"; done; exit ;;
        esac
        "$TESTBEDCTL_SETUP_ROOT/usr/sbin/policy-rc.d" prometheus start; echo "policy $?" >> "$FAKE/apt.calls"
        [ -z "$FAKE_HANG" ] || {
            echo "$1 installed" >> "$FAKE/status"; touch "$FAKE/hanging"; exec sleep 60
        }
        [ -z "$FAKE_BREAK" ] || { echo "$1 unpacked" >> "$FAKE/status"; echo 'E: disk full'; exit 100; }
        for p; do
            sed -i "/^$p /d" "$FAKE/status"; echo "$p installed" >> "$FAKE/status"
            [ "$p" != python3 ] || mv "$FAKE/python3.later" "$FAKE/bin/python3"
        done
    """,
    "dpkg-query": """
        [ "$1" != -L ] || { printf '/lib/systemd/system/%s\\n' prometheus.service template@.service; exit; }
        shift 2
        [ $# -gt 0 ] || { cat "$FAKE/status"; exit; }
        for p; do grep "^$p " "$FAKE/status"; done
    """,
    "dpkg": """
        verb=$1; shift; echo "$verb $*" >> "$FAKE/dpkg.calls"
        for p; do
            [ "$p" != "$FAKE_NEEDED" ] || { echo " later depends on $p." >&2; continue; }
            sed -i "/^$p /d" "$FAKE/status"
        done
    """,
    "ruff": 'echo "ruff $*" >> "$FAKE/check.calls"',
    "mypy": 'echo "mypy $*" >> "$FAKE/check.calls"; exit "${FAKE_MYPY:-0}"',
    "systemctl": 'echo "$*" >> "$FAKE/systemctl.calls"',
}


class FakeMachine:
    """A checkout's copy, fake programs, and a root directory of its own."""

    def __init__(self, home: Path):
        self.home = home
        self.checkout, self.fake, self.root = home / "checkout", home / "fake", home / "root"
        for directory in (self.checkout, self.fake / "bin", self.root / "etc", self.root / "usr/sbin"):
            directory.mkdir(parents=True)
        for name in ("setup.sh", "constraints.txt", "constraints-train.txt", "pyproject.toml"):
            shutil.copy2(CHECKOUT / name, self.checkout / name)
        for name, body in FAKES.items():
            self.program(name, body)
        self.path = f"{self.fake / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        self.policy = self.root / "usr/sbin/policy-rc.d"
        self.state = home / "state/.setup"
        self.system("ID=debian\n")
        self.python()
        self.status("procps installed", "util-linux installed", "libc6 installed", "tcpdump config-files")

    def program(self, name: str, body: str) -> None:
        (self.fake / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.fake / "bin" / name).chmod(0o755)

    def python(self, fits: int = 0, modules: int = 0) -> None:
        """A python3 that makes a virtual environment in no time, and whose pip does nothing."""
        body = f"""
            case "$*" in
                *version_info*sys.exit*|*sys.exit*version_info*) exit {fits} ;;
                *version_info*) echo python3.11-venv ;;
                *ensurepip*) exit {modules} ;;
                --version) echo Python 3.9.2 ;;
                '-m venv .venv')
                    echo venv >> "$FAKE/python.calls"; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
                '-m pytest '*)
                    echo "pytest $3" >> "$FAKE/python.calls"
                    [ "${{FAKE_PYTEST:-0}}" -gt 1 ] || echo '<testsuite skipped="2" tests="7">' > "${{4#*=}}"
                    exit "${{FAKE_PYTEST:-0}}" ;;
                '-m pip '*)
                    echo "$*" >> "$FAKE/python.calls"
                    cp "$0" .venv/bin/testbedctl; cp "$FAKE/bin/ruff" "$FAKE/bin/mypy" .venv/bin/ ;;
                '-c import torch') echo torch >> "$FAKE/python.calls"; exit "${{FAKE_CUDA:-0}}" ;;
                demo) echo demo >> "$FAKE/python.calls" ;;
            esac
        """
        for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
            self.program(name, body)

    def without_python(self) -> None:
        """As a minimal Debian is: python3 comes when apt-get installs it."""
        (self.fake / "bin/python3").rename(self.fake / "python3.later")
        for other in (self.fake / "bin").glob("python3.*"):
            other.unlink()
        tools = self.fake / "tools"
        tools.mkdir()
        for tool in Path("/usr/bin").iterdir():
            if not tool.name.startswith("python"):
                (tools / tool.name).symlink_to(tool)
        self.path = f"{self.fake / 'bin'}:{tools}"

    def system(self, release: str) -> None:
        (self.root / "etc/os-release").write_text(release)

    def status(self, *lines: str) -> None:
        (self.fake / "status").write_text("".join(f"{line}\n" for line in lines))

    def start(self, verb: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.checkout / "setup.sh"), *([verb] if verb else [])],
            env={
                "PATH": self.path,
                "FAKE": str(self.fake),
                "TESTBEDCTL_SETUP_ROOT": str(self.root),
                "TESTBEDCTL_STATE": str(self.home / "state"),
                **environment,
            },
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, verb: str, **environment: str) -> tuple[int, str]:
        process = self.start(verb, **environment)
        out, err = process.communicate(timeout=60)
        assert out == "", "results go to stdout, and set-up has none"
        return process.returncode, err

    def calls(self, of: str) -> list[str]:
        file = self.fake / f"{of}.calls"
        return file.read_text().splitlines() if file.exists() else []

    def installed(self) -> set[str]:
        lines = (self.fake / "status").read_text().splitlines()
        return {line.split()[0] for line in lines if line.endswith(" installed")}


def wait_for(file: Path, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} did not appear"
        time.sleep(0.01)


def interrupt(process: subprocess.Popen[str]) -> int:
    """What Ctrl-C does: SIGINT to the whole group."""
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    return process.returncode
