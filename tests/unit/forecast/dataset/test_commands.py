"""The commands as a user runs them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from golden.make_run import NAME, Recipe, make_run
from unit.cli.program import ARGV, environment, on_terminal, piped
from unit.forecast.dataset.traces import gwa_12, rows, write


def call(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = piped("dataset", *words, cwd=cwd)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    broken = rows(200)
    broken[50].fields = {3: "?"}
    write(tmp_path / "trace" / "1.csv", gwa_12(broken))
    write(tmp_path / "trace" / "2.csv", gwa_12(rows(200)))
    return tmp_path


def test_import_says_what_it_read_and_names_what_is_broken(desk: Path) -> None:
    done = call("import", "trace", "--output", "set", "--name", "ours", cwd=desk)
    assert done.returncode == 0
    assert "ours: 399 rows of 2 VMs, format gwa-t-12" in done.stdout
    assert "faults   1 number" in done.stdout
    assert "1 row number: not a number" in done.stderr
    assert "trace/1.csv:52: cpu_usage_mhz is '?', not a number" in done.stderr
    assert "importing trace: " in done.stderr


def test_import_is_one_document_with_json(desk: Path) -> None:
    done = call("import", "trace", "--output", "set", "--json", cwd=desk)
    document = json.loads(done.stdout)
    assert document["dataset"] == "set"
    assert document["manifest"] == json.loads((desk / "set" / "manifest.json").read_text())
    assert document["manifest"]["terms"] == "research use, cite the Grid Workloads Archive"


def test_too_many_broken_rows_end_with_2_and_their_places(desk: Path) -> None:
    done = call("import", "trace", "--output", "set", "--max-broken-share", "0.001", "--json", cwd=desk)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "invalid-file")
    assert [(place["file"], place["line"], place["column"]) for place in error["places"]] == [
        ("trace/1.csv", 52, 4)
    ]
    assert not (desk / "set").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import", "nowhere", "-o", "set"], "there is no file or folder nowhere"),
        (["import", "trace"], "Missing option '--output'"),
        (["import", "trace", "-o", "trace"], "trace exists and is not a data set"),
        (["import", "trace", "-o", "set", "--max-broken-share", "2"], "less than or equal to 1"),
        (
            ["import", "trace", "-o", "set", "--max-broken-share", "nan"],
            "Invalid value for '--max-broken-share'",
        ),
        (["import", "trace", "-o", "set", "--max-broken-share", "inf"], "less than or equal to 1"),
        (["import", "trace", "-o", "x" * 300], "cannot be a data set: File name too long"),
        (["collect", "-o", "set"], "Missing argument"),
        (["collect", "no-such-run", "-o", "set"], "there is no run"),
        (["describe", "trace"], "is not a data set"),
        (["describe", "trace", "--figure", "x.pdf"], "cannot draw x.pdf"),
    ],
)
def test_a_wrong_command_line_ends_with_2(words: list[str], said: str, desk: Path) -> None:
    done = call(*words, "--json", cwd=desk)
    assert done.returncode == 2
    assert said in json.loads(done.stdout)["error"]["message"]


def test_collect_takes_runs_by_name(desk: Path) -> None:
    make_run(desk / "runs", Recipe(trials=1))
    done = call("collect", NAME, "--output", "set", cwd=desk)
    assert done.returncode == 0
    assert "set: 128 rows of 8 VMs, format telemetry" in done.stdout


def test_describe_fits_a_terminal_of_80_columns(desk: Path) -> None:
    call("import", "trace", "--output", "set", cwd=desk)
    done = call("describe", "set", "--figure", "figure.svg", cwd=desk)
    assert done.returncode == 0
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 80
    assert "memory usage KB *" in done.stdout
    assert "The paper (§4)" in done.stdout
    assert (desk / "figure.svg").exists()
    document = json.loads(call("describe", "set", "--json", cwd=desk).stdout)
    assert {"manifest", "features", "correlations", "findings", "dataset"} <= set(document)


def test_the_bar_is_one_line_of_80_columns(desk: Path) -> None:
    for number in range(3, 30):
        write(desk / "trace" / f"{number}.csv", gwa_12(rows(3000)))
    code, written = on_terminal([*ARGV, "dataset", "import", str(desk / "trace"), "-o", str(desk / "set")])
    assert code == 0, written
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", written)
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", plain)]
    bars = [line for line in lines if re.match(r"importing trace: \d+ rows [━╸╺ ]+ +\d+%", line)]
    assert bars
    assert max(map(len, bars)) <= 80


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_import_with_130_and_nothing_half_made(number: signal.Signals, desk: Path) -> None:
    for vm in range(3, 400):
        (desk / "trace" / f"{vm}.csv").symlink_to(desk / "trace" / "2.csv")
    write(desk / "trace" / "2.csv", gwa_12(rows(5000)))
    running = subprocess.Popen(
        [*ARGV, "dataset", "import", "trace", "-o", "out/set"], cwd=desk, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not list((desk / "out").glob("*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list((desk / "out").iterdir()), "nothing was being written"
    running.send_signal(number)
    told = running.communicate(timeout=30)[1]
    assert running.returncode == 130, told
    assert "Traceback" not in told
    assert list((desk / "out").iterdir()) == []


MEMORY = """
import resource, sys
from pathlib import Path
from testbedctl.forecast.dataset.importer import import_traces
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
manifest = import_traces(Path(sys.argv[1]), Path(sys.argv[2]), terms="", max_broken_share=0.01)
print(manifest.rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_file_larger_than_its_share_of_memory_is_streamed(tmp_path: Path) -> None:
    """100 MB of one VM, in far less: what is held is a block of it."""
    head, *lines = gwa_12(rows(2000)).splitlines()
    parts = [line.split(";", 1)[1] for line in lines]
    with (tmp_path / "vm.csv").open("w") as stream:
        stream.write(head + "\n")
        written, unix_s = 0, 1_000_000_000
        while written < 100_000_000:
            text = "".join(f"{unix_s + 300 * n};{part}\n" for n, part in enumerate(parts))
            written, unix_s = written + stream.write(text), unix_s + 300 * len(parts)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "vm.csv"), str(tmp_path / "set")],
        env=environment(), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    imported, grown_mib = map(int, done.stdout.split())
    assert imported > 1_000_000
    assert grown_mib < 250, f"{grown_mib} MiB for 100 MB of CSV"
