"""Plain networks: hosts, learning switches, links with a rate or a delay."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from testbedctl.backends.local.probe import ping
from tests.system.conftest import cli, command, environment
from tests.system.snapshot import differences, snapshot

pytestmark = pytest.mark.usefixtures("untouched")

RECEIVE = """
import hashlib, socket, sys, time
with socket.create_server((sys.argv[1], 7000)) as server:
    print("listening", flush=True)
    peer, _ = server.accept()
    digest, size, began = hashlib.sha256(), 0, None
    while data := peer.recv(65536):
        began = began or time.monotonic()
        digest.update(data)
        size += len(data)
    print(digest.hexdigest(), size, time.monotonic() - began)
"""
SEND = """
import random, socket, sys
data = random.Random(int(sys.argv[3])).randbytes(int(sys.argv[2]))
with socket.create_connection((sys.argv[1], 7000), timeout=10) as peer:
    peer.sendall(data)
"""


def bring_up(at: Path, links: list[Mapping[str, object]], *, hosts: str, switches: str = "") -> None:
    nodes = {"hosts": {n: {} for n in hosts.split()}, "switches": {n: {} for n in switches.split()}}
    file = at / "net.yaml"
    file.write_text(json.dumps({"name": "net", **nodes, "links": links}))
    up = cli("up", str(file))
    assert up.returncode == 0, up.stderr


def addresses() -> dict[str, list[str]]:
    """Each host's addresses, as the user is told them."""
    nodes = json.loads(cli("status", "--json").stdout)["nodes"]
    return {n["node"]: [a.split("/")[0] for its in n["interfaces"].values() for a in its] for n in nodes}


def transfer(sender: str, receiver: str, address: str, size: int) -> float:
    """Send random bytes by TCP, check that they arrive unchanged, and return the rate in bits per second."""
    there = subprocess.Popen(
        command("exec", receiver, "--", sys.executable, "-c", RECEIVE, address),
        stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert there.stdout is not None
    assert there.stdout.readline() == "listening\n"
    here = cli("exec", sender, "--", sys.executable, "-c", SEND, address, str(size), "7", timeout=60)
    assert here.returncode == 0, here.stderr
    digest, received, seconds = there.communicate(timeout=60)[0].split()
    assert (int(received), digest) == (size, hashlib.sha256(random.Random(7).randbytes(size)).hexdigest())
    return size * 8 / float(seconds)


def test_hosts_across_two_switches_reach_each_other() -> None:
    assert cli("up", "line").returncode == 0
    where = addresses()
    (left,), (right,) = where["left"], where["right"]
    assert left in cli("status").stdout and right in cli("status").stdout
    assert ping("tbc.line.left", left, right) is not None
    assert ping("tbc.line.right", right, left) is not None
    transfer("left", "right", right, 4_000_000)
    transfer("right", "left", left, 1_000_000)


def test_hosts_linked_to_each_other_share_a_prefix_for_each_link(tmp_path: Path) -> None:
    bring_up(tmp_path, [{"ends": ["a", "b"]}, {"ends": ["b", "c"]}], hosts="a b c")
    where = addresses()
    assert ping("tbc.net.a", where["a"][0], where["b"][0]) is not None
    assert ping("tbc.net.b", where["b"][1], where["c"][0]) is not None
    transfer("b", "c", where["c"][0], 1_000_000)


def test_a_lab_of_one_host_has_no_network(tmp_path: Path) -> None:
    bring_up(tmp_path, [], hosts="lone")
    shown = cli("exec", "lone", "--", "ip", "-br", "addr").stdout.splitlines()
    assert len(shown) == 1 and shown[0].startswith("lo ")


@pytest.mark.parametrize("switched", [True, False], ids=["switch", "direct"])
def test_a_rate_is_kept_both_ways(tmp_path: Path, switched: bool) -> None:
    limited: list[Mapping[str, object]] = [{"ends": ["a", "b"], "rate_mbps": 10}]
    if switched:
        limited = [{"ends": ["a", "s"], "rate_mbps": 10}, {"ends": ["s", "b"]}]
    bring_up(tmp_path, limited, hosts="a b", switches="s" if switched else "")
    where = addresses()
    for sender, receiver in (("a", "b"), ("b", "a")):
        rate = transfer(sender, receiver, where[receiver][0], 2_500_000)
        assert 8e6 <= rate <= 12e6, f"{sender} → {receiver}: {rate / 1e6:.1f} Mb/s"


def test_a_delay_is_kept_or_refused(tmp_path: Path) -> None:
    """A kernel without netem cannot delay: it must be said, and nothing may be left."""
    file = tmp_path / "slow.yaml"
    link = {"ends": ["a", "b"], "delay_ms": 30}
    file.write_text(json.dumps({"name": "slow", "hosts": {"a": {}, "b": {}}, "links": [link]}))
    before = snapshot()
    up = cli("up", str(file), "--json")
    if up.returncode == 0:
        where = addresses()
        began = time.monotonic()
        assert ping("tbc.slow.a", where["a"][0], where["b"][0]) is not None
        assert time.monotonic() - began >= 0.06
        return
    error = json.loads(up.stdout)["error"]
    assert up.returncode == 4 == error["exit"]
    assert "cannot delay the link a – b" in error["message"] and "doctor" in error["hint"]
    assert differences(before, snapshot()) == []
