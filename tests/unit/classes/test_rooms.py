"""The way of a user: a trace is imported, limits are fitted to it, and a VNF is sorted by them."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner
from unit.classes.conftest import Sizes
from unit.forecast.dataset.traces import Row, gwa_12, write

from testbedctl.classes.provisioned import KIB_PER_GIB
from testbedctl.cli import classify, dataset

app = typer.Typer()
for group in (classify, dataset):
    group.register(app)


def call(*words: object) -> str:
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def trace(folder: Path, sizes: Sizes) -> None:
    """A CSV of three rows for each VM."""
    for number, (vcpus, gib) in enumerate(sizes):
        size = {1: str(vcpus), 2: str(2600 * vcpus), 5: str(gib * KIB_PER_GIB)}
        rows = [Row(n, fields=size) for n in range(3)]
        write(folder / f"{number}.csv", gwa_12(rows))


def test_from_a_trace_to_the_type_of_a_vnf(cloud: list[tuple[float, float]], tmp_path: Path) -> None:
    trace(tmp_path / "trace", cloud[::3] + cloud[1::3])
    call("dataset", "import", tmp_path / "trace", "--output", tmp_path / "data", "--name", "forty")
    limits = tmp_path / "mine.yaml"
    found = json.loads(call("classify", "fit", tmp_path / "data", "--output", limits, "--json"))
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    assert found["dataset"] == {"name": "forty", "sha256": manifest["sha256"], "vms": 40}
    assert found["limits"] == {"vcpus": [2, 8], "ram_gib": [4, 16]}

    def assigned(vcpus: float, ram_gib: float) -> str:
        words = ("--vcpus", vcpus, "--ram-gib", ram_gib, "--classes", limits, "--json")
        return str(json.loads(call("classify", "assign", *words))["vnf_class"])

    assert [assigned(2, 4), assigned(4, 8), assigned(9, 17)] == ["T1", "T2", "T3"]
