"""VNFs that are programs of the user's own: ready, never ready, ended, scraped."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.system.conftest import cli
from tests.system.snapshot import differences, snapshot

pytestmark = pytest.mark.usefixtures("untouched")
LAB = "programs"

SPEC = {
    "name": LAB,
    "flavours": {"small": {"vcpus": 0.5, "ram_mib": 256}},
    "services": {
        "only": {
            "vni": 7,
            "vnfs": {
                "van": {"type": "van", "domain": "edge", "flavour": "small"},
                "vdpi": {"type": "vdpi", "domain": "edge", "flavour": "small", "dpi": "off"},
                "vsre": {"type": "vsre", "domain": "core", "flavour": "small"},
            },
        }
    },
}

SERVER = """
import http.server, pathlib, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"# TYPE frames_recognised_total counter\\nframes_recognised_total 42\\n")
    def log_message(self, *words): pass
server = http.server.HTTPServer(("0.0.0.0", 8000), Page)
pathlib.Path(sys.argv[1]).touch()
print("serving", flush=True)
server.serve_forever()
"""


def spec(at: Path, program: list[str], **more: object) -> str:
    """A testbed of one service with a program of the user's own."""
    document = json.loads(json.dumps(SPEC))
    service = document["services"]["only"]
    service["metrics"] = more.pop("metrics", {})
    service["vnfs"]["app"] = {
        "type": "command",
        "domain": "core",
        "flavour": "small",
        "command": program,
        **more,
    }
    file = at / "programs.yaml"
    file.write_text(json.dumps(document))  # JSON is YAML
    return str(file)


def failing_up(file: str) -> str:
    """``up`` must fail with exit 5 and roll back; what it said."""
    before = snapshot()
    up = cli("up", file, "--json", timeout=60)
    error = json.loads(up.stdout)["error"]
    assert up.returncode == 5 == error["exit"], error
    assert "rolling back" in up.stderr and "Traceback" not in up.stderr
    assert differences(before, snapshot()) == []
    return str(error["message"])


def test_a_program_that_ends_at_once_is_named_with_its_last_words(tmp_path: Path) -> None:
    said = failing_up(spec(tmp_path, ["sh", "-c", "echo no model here >&2; exit 3"]))
    assert "command only/app ended" in said and "no model here" in said


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    said = failing_up(spec(tmp_path, ["no-such-program", "--fast"]))
    assert "command only/app ended" in said and "no-such-program" in said


@pytest.mark.parametrize(
    "ready",
    [{"tcp": 8000}, {"command": ["false"]}, {"command": ["sleep", "60"]}],
    ids=["tcp", "false", "hangs"],
)
def test_a_program_that_is_never_ready_has_its_time_and_no_more(
    tmp_path: Path, ready: dict[str, object]
) -> None:
    program = ["sh", "-c", "echo still loading; exec sleep 600"]
    began = time.monotonic()
    said = failing_up(spec(tmp_path, program, ready={**ready, "timeout_s": 1.5}))
    assert time.monotonic() - began < 15
    assert "command of only/app did not become ready in time (1.5 s)" in said and "still loading" in said


@pytest.mark.parametrize("way", ["tcp", "command"])
def test_a_ready_program_runs_in_its_group_and_is_scraped(tmp_path: Path, way: str) -> None:
    mark = tmp_path / "mark"
    program = [sys.executable, "-c", SERVER, str(mark)]
    ready = {"tcp": 8000} if way == "tcp" else {"command": ["sh", "-c", f"echo asked; test -e '{mark}'"]}
    file = spec(tmp_path, program, ready=ready, metrics={"frames": {"vnf": "app", "port": 8000}})
    up = cli("up", file, "--json")
    assert up.returncode == 0, up.stderr
    its = next(p for p in json.loads(up.stdout)["programs"] if p["node"] == "only/app")
    assert f"/testbedctl/{LAB}/only.app" in Path(f"/proc/{its['pid']}/cgroup").read_text()
    logs = cli("logs", "command only").stdout
    assert "serving" in logs
    assert scraped("frames_recognised_total") == {"42"}
    assert cli("down").returncode == 0


def scraped(metric: str) -> set[str]:
    """The values that the lab's Prometheus has of a metric, as soon as it has any."""
    url = f"http://10.255.0.1:9090/api/v1/query?query={quote(metric)}"
    fetch = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=5).read().decode())"
    deadline = time.monotonic() + 15
    while True:
        answer = json.loads(cli("exec", "mgmt", "--", sys.executable, "-c", fetch).stdout)
        if answer["data"]["result"]:
            for sample in answer["data"]["result"]:
                assert sample["metric"]["job"] == "extra-only/frames", sample
            return {sample["value"][1] for sample in answer["data"]["result"]}
        assert time.monotonic() < deadline, f"{metric} is not scraped"
        time.sleep(0.2)


def test_a_users_program_is_asked_to_end_before_it_is_killed(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    program = [
        "sh",
        "-c",
        f"trap 'echo bye > {saved}; exit 0' TERM; echo ready; while :; do sleep 0.05; done",
    ]
    assert cli("up", spec(tmp_path, program)).returncode == 0
    assert cli("down").returncode == 0
    assert saved.read_text() == "bye\n"


def test_a_program_that_ends_later_shows_in_status(tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    program = ["sh", "-c", f"while ! test -e '{stop}'; do sleep 0.05; done; echo gave up"]
    assert cli("up", spec(tmp_path, program)).returncode == 0
    stop.touch()
    deadline = time.monotonic() + 5
    while json.loads(cli("status", "--json").stdout)["state"] != "degraded":
        assert time.monotonic() < deadline
    assert "command ended" in cli("status").stdout
    assert "gave up" in cli("logs", "command").stdout


def test_the_longest_names_work(tmp_path: Path) -> None:
    long = "n" * 31
    document = json.loads(json.dumps(SPEC))
    document["name"] = long
    document["services"][long] = document["services"].pop("only")
    vnfs = document["services"][long]["vnfs"]
    for kind in ("van", "vdpi"):
        vnfs[f"{kind}-{'x' * (30 - len(kind))}"] = vnfs.pop(kind)
    file = tmp_path / "long.yaml"
    file.write_text(json.dumps(document))
    up = cli("up", str(file), "--json")
    assert up.returncode == 0, up.stderr
    names = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert f"tbc.{long}.{long}.vdpi-{'x' * 26}" in names
