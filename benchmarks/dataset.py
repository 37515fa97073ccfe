"""Importing the 500-VM month of GWA-T-12, beside pyarrow's bare CSV reader on the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.command import CHECKOUT
from benchmarks.table import Row, spread

RUNS = 3
DATA = Path(os.environ.get("TESTBEDCTL_DATA") or CHECKOUT.parent / "shared" / "data")
MONTH = DATA / "gwa-t-12-bitbrains" / "rnd-2013-8.zip"

PEER = """
import io, sys, zipfile
from pyarrow import csv
rows = 0
with zipfile.ZipFile(sys.argv[1]) as archive:
    for member in archive.infolist():
        if not member.is_dir():
            data = io.BytesIO(archive.read(member))
            rows += csv.read_csv(data, parse_options=csv.ParseOptions(delimiter=";")).num_rows
print(rows)
"""
OPEN = """
import sys, time
from pathlib import Path
from testbedctl.forecast.dataset.store import open_dataset
begun = time.monotonic()
open_dataset(Path(sys.argv[1]))
print(time.monotonic() - begun)
"""


def measure() -> list[Row]:
    """Wall time and peak memory of whole processes; the peer in turns with the import."""
    asked = "≤ 30 s, ≤ 2 GiB"
    if not MONTH.is_file():
        return [Row("`dataset import` of 500 VMs, a month", asked, "–", None, f"{MONTH.name} is not there")]
    imports, peers, opened = [], [], []
    with tempfile.TemporaryDirectory(prefix="testbedctl-benchmark-") as name:
        for number in range(RUNS):
            output = f"{name}/{number}"
            imports.append(_run("-m", "testbedctl", "dataset", "import", str(MONTH), "--output", output))
            peers.append(_run("-c", PEER, str(MONTH)))
            opened.append(float(_run("-c", OPEN, output)[2]))
    walls, peaks = ([each[index] for each in imports] for index in (0, 1))
    return [
        Row(
            "`dataset import` of 500 VMs, a month, 4.3 million rows: time, memory",
            asked,
            f"{spread(walls, 's', 1)}, {spread(peaks, 'GiB')}",
            max(walls) <= 30 and max(peaks) <= 2,
        ),
        Row(
            "the same bytes read by pyarrow's CSV reader, kept nowhere",
            "",
            f"{spread([p[0] for p in peers], 's', 1)}, {spread([p[1] for p in peers], 'GiB')}",
            None,
            "whole processes, in turns with the import",
        ),
        Row("opening the data set", "≤ 3 s", spread(opened, "s"), max(opened) <= 3),
    ]


def _run(*arguments: str) -> tuple[float, float, str]:
    """Wall seconds, peak memory in GiB and output of a Python process; raises on failure."""
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=told,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begun
        told.seek(0)
        errors.seek(0)
        if child.returncode:
            raise RuntimeError(
                f"{' '.join(arguments[:4])} exited {child.returncode}: {errors.read()[-2000:]}"
            )
        return seconds, usage.ru_maxrss / 2**20, told.read()
