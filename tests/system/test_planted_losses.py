"""A loss that is planted in a real lab is found where it is: real switches, tunnels and sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from testbedctl.traffic.hops import HOPS
from tests.system.conftest import cli
from tests.system.measuring import Background, cameras, program, sinks, stopped, until, wait

LAB = "planted"
FLAVOUR = "{vcpus: 0.35, ram_mib: 1024}"
SHAPER = ("root", "tbf", "rate", "1mbit", "burst", "4k", "limit", "4k")


@dataclass(frozen=True)
class Load:
    """What is sent, and the cores that a vDPI may use."""

    rate_mbps: int
    vcpus: float

    def up(self, directory: Path) -> None:
        """A lab of two services whose vDPIs only forward, so that nothing else can drop a packet."""
        assert cli("init", str(directory)).returncode == 0
        spec = directory / "slice-sharing.yaml"
        text = spec.read_text().replace("dpi: payload", "dpi: off")
        assert FLAVOUR in text
        spec.write_text(text.replace(FLAVOUR, f"{{vcpus: {self.vcpus}, ram_mib: 1024}}"))
        done = cli("up", str(spec), "--lab", LAB)
        assert done.returncode == 0, done.stderr

    def profile(self, directory: Path) -> Path:
        path = directory / "planted.yaml"
        path.write_text(
            "name: planted\nbackground_mbps: 1\nwarm_up_s: 0\n"
            f"shape: {{kind: hold, rate_mbps: {self.rate_mbps}, duration_s: 8, step_s: 4}}\n"
        )
        return path


def switch(node: str) -> Callable[[], None]:
    """Stop a switch for less than its control socket and its agent wait for it."""

    def plant() -> None:
        with stopped(program(LAB, f"ovs-vswitchd {node}")):
            wait(0.4)

    return plant


def shaper(node: str, interface: str) -> Callable[[], None]:
    """Let next to nothing out of an interface for a second."""

    def plant() -> None:
        for verb, words in (("add", SHAPER), ("del", ("root",))):
            done = cli("exec", node, "--lab", LAB, "--", "tc", "qdisc", verb, "dev", interface, *words)
            assert done.returncode == 0, done.stderr
            wait(1.0)

    return plant


def socket() -> None:
    """Stop one camera's receiver until its socket has overflowed for a while."""
    with stopped(sinks(LAB, "service1/vsre")[0]):
        wait(3.5)


def nothing() -> None:
    """The load alone is too much."""


CALM = Load(rate_mbps=100, vcpus=1.5)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("hop", "load", "plant"),
    [
        ("sender", CALM, shaper("service1/cameras", "cam0")),
        ("van_ring", Load(200, 1.5), switch("service1/van")),
        ("vdpi_ring", Load(200, 1.5), switch("service1/vdpi")),
        ("vdpi_throttled", Load(300, 0.1), nothing),
        ("vdpi_transmit", CALM, shaper("service1/vdpi", "core0")),
        ("tunnel", CALM, shaper("transport", "vsre1")),
        ("receiver_socket", Load(200, 1.5), socket),
    ],
)
def test_a_planted_loss_is_found_where_it_was_planted(
    tmp_path: Path, hop: str, load: Load, plant: Callable[[], None]
) -> None:
    load.up(tmp_path / "lab")
    run = Background("stress", str(load.profile(tmp_path)), "--arm", "none", "--lab", LAB, "--json")
    until(lambda: len(cameras(LAB, "service1")) == 10, "the cameras")
    plant()
    code, out, err = run.end()
    assert code == 0, err
    sent, delivered, lost = losses(Path(json.loads(out)["path"]))
    assert sum(lost.values()) == sent - delivered
    assert sent - delivered > 0.005 * sent
    assert lost[hop] >= 0.9 * (sent - delivered), lost
    assert abs(lost["unattributed"]) <= 0.001 * sent, lost


def losses(run: Path) -> tuple[int, int, dict[str, int]]:
    """What the first service sent and delivered in the whole trial, and where the rest was lost."""
    (trial,) = (run / "trials").iterdir()
    flows = [f for f in pq.read_table(trial / "flows.parquet").to_pylist() if f["service"] == "service1"]
    rows = pq.read_table(trial / "hops.parquet").to_pylist()
    lost = {r["hop"]: r["packets"] for r in rows if r["step"] == 0 and r["service"] == "service1"}
    assert tuple(lost) == HOPS
    return sum(f["sent_packets"] for f in flows), sum(f["delivered_packets"] for f in flows), lost
