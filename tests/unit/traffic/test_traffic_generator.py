"""The generator with real processes on the loopback: order of events, deadlines, and its end."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from testbedctl.errors import RunFailed
from testbedctl.traffic import generator as module
from testbedctl.traffic.flows import Columns
from testbedctl.traffic.generator import Generator
from testbedctl.traffic.schedule import Camera, Schedule, Step

LISTEN = (
    "import socket,sys,time;"
    "s=socket.create_server((sys.argv[1],int(sys.argv[2])));time.sleep(float(sys.argv[3]))"
)
SEND = "import sys,time;time.sleep(float(sys.argv[1]))"
STUBBORN = (
    "import signal,time;signal.signal(signal.SIGTERM,signal.SIG_IGN);print('deaf',flush=True);time.sleep(99)"
)


class Local:
    """Nodes that are all this machine."""

    def __init__(self) -> None:
        self.children: list[subprocess.Popen[bytes]] = []

    def exec(
        self, node: str, argv: Sequence[str], *, stdout: Path | None = None, stderr: Path | None = None
    ) -> subprocess.Popen[bytes]:
        assert node in ("s/cameras", "s/sink")
        with contextlib.ExitStack() as files:
            out, err = (files.enter_context(p.open("wb")) if p else subprocess.PIPE for p in (stdout, stderr))
            child = subprocess.Popen(argv, stdout=out, stderr=err)
        self.children.append(child)
        return child


class Script:
    """Two small programs: one listens, one waits; their lives and codes can be set."""

    listens = "tcp"

    def __init__(
        self, *, server_s: float = 1.3, client_s: float | None = None, client: str = SEND, serve: str = LISTEN
    ):
        self.server_s, self.client_s, self.code, self.serve = server_s, client_s, client, serve

    def server(self, camera: Camera) -> list[str]:
        life = str(camera.stop_s + self.server_s)
        where = [camera.destination, str(camera.port)] if self.serve == LISTEN else []
        return [sys.executable, "-c", self.serve, *where, life]

    def client(self, camera: Camera) -> list[str]:
        life = camera.stop_s - camera.start_s if self.client_s is None else self.client_s
        return [sys.executable, "-c", self.code, str(life)]

    def fault(self, output: str) -> str | None:
        return output.strip() or None

    def columns(self, camera: Camera, client: str, server: str) -> Columns:
        assert client == server == ""
        ones = [1] * (camera.stop_s - camera.start_s)
        return Columns(ones, ones, ones, ones, ones, None)


class Diary:
    """Writes down what the generator tells, with the time since it began."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.at: dict[str, float] = {}

    def note(self, event: str) -> None:
        self.events.append(event)
        self.at[event] = time.monotonic()

    def started(self, schedule: Schedule) -> None:
        self.note(f"started {schedule.service}")

    def step_changed(self, step: Step) -> None:
        self.note(f"step {step.step}")

    def camera_started(self, camera: Camera) -> None:
        self.note(f"camera {camera.number}")

    def completed(self, schedule: Schedule) -> None:
        self.note(f"completed {schedule.service}")


def plan(*spans: tuple[int, int], port: int) -> Schedule:
    cameras = tuple(
        Camera(f"s/{n}", "s", n, 1000, start, stop, "127.0.0.2", "127.0.0.1", port + n)
        for n, (start, stop) in enumerate(spans, 1)
    )
    end = max(stop for _, stop in spans)
    return Schedule("s", end, tuple(Step(n + 1, n, n + 1, 0.0) for n in range(end)), cameras)


def drive(running: Generator) -> None:
    running.prepare()
    running.begin()
    deadline = time.monotonic() + 20
    while not running.poll():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_schedule_is_kept_and_its_events_are_told(tmp_path: Path) -> None:
    diary, nodes = Diary(), Local()
    schedule = plan((0, 2), (1, 2), port=31100)
    with Generator(nodes, schedule, Script(), {"s": "s/sink"}, tmp_path, diary) as running:
        drive(running)
        rows = running.rows()
    assert diary.events == ["started s", "step 1", "camera 1", "step 2", "camera 2", "completed s"]
    assert 0.99 < diary.at["camera 2"] - diary.at["started s"] < 1.5
    assert [(r.camera, r.second, r.step) for r in rows] == [("s/1", 0, 1), ("s/1", 1, 2), ("s/2", 1, 2)]
    assert running.poll()
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.json")) == [
        "s/1.client.json",
        "s/1.server.json",
        "s/2.client.json",
        "s/2.server.json",
    ]


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        (Script(client_s=0.1), "camera s/1: client ended with 0 .it said nothing."),
        (Script(client="import sys;sys.exit('no route')"), "camera s/1: client ended with 1 .no route."),
        (Script(client="print('refused')"), "camera s/1: client ended with 0 .refused."),
        (Script(server_s=-2.5), "camera s/1: server ended with 0"),
    ],
)
def test_a_process_that_ends_before_its_time_is_named_with_its_last_words(
    tmp_path: Path, tool: Script, message: str
) -> None:
    nodes = Local()
    running = Generator(nodes, plan((0, 3), port=31200), tool, {"s": "s/sink"}, tmp_path)
    began = time.monotonic()
    with pytest.raises(RunFailed, match=message), running:
        drive(running)
    assert time.monotonic() - began < 3
    assert all(child.poll() is not None for child in nodes.children)


def test_a_process_that_does_not_end_after_its_time_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DONE_WITHIN_S", 0.5)
    tool = Script(client_s=60, server_s=0.2)
    running = Generator(Local(), plan((0, 1), port=31300), tool, {"s": "s/sink"}, tmp_path)
    with pytest.raises(RunFailed, match=r"camera s/1: its client still runs 0.5 s after its end"), running:
        drive(running)


def test_a_server_that_never_listens_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_WITHIN_S", 0.3)
    nodes = Local()
    running = Generator(nodes, plan((0, 1), port=31400), Script(serve=SEND), {"s": "s/sink"}, tmp_path)
    silent = r"camera s/1: its server on s/sink does not listen on 127.0.0.1:31401"
    with pytest.raises(RunFailed, match=silent), running:
        running.prepare()
    assert nodes.children[0].poll() is not None


def test_another_address_on_the_same_port_is_not_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READY_WITHIN_S", 0.3)
    tool = Script(serve=SEND)
    running = Generator(Local(), plan((0, 1), port=31450), tool, {"s": "s/sink"}, tmp_path)
    with (
        socket.create_server(("127.0.0.9", 31451)),
        pytest.raises(RunFailed, match="does not listen"),
        running,
    ):
        running.prepare()


def test_a_child_that_will_not_obey_is_killed_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "END_WITHIN_S", 0.2)
    nodes = Local()
    output = tmp_path / "s" / "1.client.json"
    tool = Script(client=STUBBORN)
    with Generator(nodes, plan((0, 9), port=31500), tool, {"s": "s/sink"}, tmp_path) as running:
        running.prepare()
        running.begin()
        deadline = time.monotonic() + 5
        while output.read_text() != "deaf\n":
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert [child.returncode for child in nodes.children[-1:]] == [-9]
    assert all(child.returncode is not None for child in nodes.children)
