"""The generator: runs a schedule in real time on the nodes of a testbed.

It never blocks once it has begun: the loop that also asks the balancer calls ``poll``. Every child is held
by its own process handle, and only those are ever ended.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from testbedctl.errors import RunFailed
from testbedctl.ports import Nodes
from testbedctl.traffic.flows import Columns, FlowRow
from testbedctl.traffic.listening import listening
from testbedctl.traffic.schedule import Camera, Schedule, Step

LOOK_EVERY_S = 0.25
"""How often the children are looked after."""

READY_WITHIN_S = 10.0
"""How long the servers may take until all of them listen."""

DONE_WITHIN_S = 5.0
"""How long after a camera's end both sides may take to exchange results."""

END_WITHIN_S = 2.0
"""How long a child may take to obey a termination before it is killed."""


class Tool(Protocol):
    """A program that sends and counts: iperf3, or the replay of a capture."""

    @property
    def listens(self) -> str:
        """``tcp`` or ``udp``: the kind of socket that shows that a server is ready."""

    def server(self, camera: Camera) -> list[str]:
        """The sink's command line; it ends by itself when its camera is done."""

    def client(self, camera: Camera) -> list[str]:
        """The camera's command line; it ends by itself at the end of its life."""

    def fault(self, output: str) -> str | None:
        """What a process that died said about it on its standard output, or None."""

    def columns(self, camera: Camera, client: str, server: str) -> Columns:
        """What both sides wrote as values per second; ``RunFailed`` if that is not whole."""


class Observer(Protocol):
    """Sees how a schedule goes; a progress display is one."""

    def started(self, schedule: Schedule) -> None:
        """Every server listens and time begins."""

    def step_changed(self, step: Step) -> None:
        """A step begins."""

    def camera_started(self, camera: Camera) -> None:
        """A camera begins to send."""

    def completed(self, schedule: Schedule) -> None:
        """Every camera and every server has ended in order."""


class Unobserved:
    """The observer that looks away."""

    def started(self, schedule: Schedule) -> None:
        """Nothing."""

    def step_changed(self, step: Step) -> None:
        """Nothing."""

    def camera_started(self, camera: Camera) -> None:
        """Nothing."""

    def completed(self, schedule: Schedule) -> None:
        """Nothing."""


@dataclass
class _Stream:
    """A camera with its two processes; ``due_s`` is when the client has sent for its whole life."""

    camera: Camera
    server: subprocess.Popen[bytes]
    client: subprocess.Popen[bytes] | None = None
    due_s: float = 0.0
    done: bool = False


class Generator:
    """One trial's traffic. Use as a context manager: leaving it ends every child that still lives.

    ``sinks`` maps a service to the node of its sink; a camera's node is ``<service>/cameras``.
    ``directory`` gets ``<service>/<number>.{client,server}.json`` as the tool wrote them, and ``.err``.
    """

    def __init__(
        self,
        nodes: Nodes,
        schedule: Schedule,
        tool: Tool,
        sinks: Mapping[str, str],
        directory: Path,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._nodes, self._schedule, self._tool = nodes, schedule, tool
        self._sinks, self._directory, self._clock = sinks, directory, clock
        self._observer: Observer = observer or Unobserved()
        self._streams: list[_Stream] = []
        self._waiting: list[_Stream] = []
        self._steps = list(schedule.steps)
        self._began = self._looked = 0.0
        self._completed = False

    def __enter__(self) -> Generator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self) -> None:
        """Start every server and wait until all listen; ``RunFailed`` names one that does not."""
        for camera in self._schedule.cameras:
            self._streams.append(_Stream(camera, self._spawn(camera, "server")))
        self._waiting = sorted(self._streams, key=lambda stream: stream.camera.start_s)
        deadline = self._clock() + READY_WITHIN_S
        while silent := self._not_listening():
            self._look_after(0.0)
            if self._clock() > deadline:
                camera = silent[0].camera
                raise RunFailed(
                    f"camera {camera.camera}: its server on {self._sinks[camera.service]} does not listen on "
                    f"{camera.destination}:{camera.port} after {READY_WITHIN_S:g} s",
                    hint="look at the node's address, and at the server's .err file",
                )
            time.sleep(0.02)

    def begin(self) -> float:
        """Let time run from now; returns the clock's value at second 0 of the trial."""
        self._began = self._looked = self._clock()
        self._observer.started(self._schedule)
        self.poll()
        return self._began

    def poll(self) -> bool:
        """Start what is due and look after the children; cheap, call it at least twice a second.

        Returns True once everything has ended in order. Raises ``RunFailed`` naming camera, side, exit
        code and last words as soon as a process ended before its time, or does not end after it.
        """
        if self._completed:
            return True
        now_s = self._clock() - self._began
        while self._steps and now_s >= self._steps[0].start_s:
            self._observer.step_changed(self._steps.pop(0))
        while self._waiting and now_s >= self._waiting[0].camera.start_s:
            self._start(self._waiting.pop(0))
        if now_s - (self._looked - self._began) >= LOOK_EVERY_S:
            self._looked = self._began + now_s
            self._look_after(now_s)
            self._complete_if_done(now_s)
        return self._completed

    def rows(self) -> list[FlowRow]:
        """The rows of ``flows.parquet``, from the files that both sides wrote, once ``poll`` is True.

        Raises ``RunFailed`` naming the camera whose series is empty, short or contradicts itself.
        """
        rows: list[FlowRow] = []
        for camera in self._schedule.cameras:
            client, server = (self._read(camera, side) for side in ("client", "server"))
            rows += self._tool.columns(camera, client, server).rows(camera, self._schedule)
        return rows

    def close(self) -> None:
        """End exactly the children that were started here and still live, and wait for them."""
        children = [child for s in self._streams for child in (s.client, s.server) if child]
        living = [child for child in children if child.poll() is None]
        for child in living:
            child.terminate()
        deadline = time.monotonic() + END_WITHIN_S
        for child in living:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _path(self, camera: Camera, side: str, ending: str = "json") -> Path:
        return self._directory / camera.service / f"{camera.number}.{side}.{ending}"

    def _read(self, camera: Camera, side: str, ending: str = "json") -> str:
        return self._path(camera, side, ending).read_text(errors="replace")

    def _spawn(self, camera: Camera, side: str) -> subprocess.Popen[bytes]:
        self._path(camera, side).parent.mkdir(parents=True, exist_ok=True)
        at_sink = side == "server"
        node = self._sinks[camera.service] if at_sink else f"{camera.service}/cameras"
        argv = self._tool.server(camera) if at_sink else self._tool.client(camera)
        stdout, stderr = self._path(camera, side), self._path(camera, side, "err")
        return self._nodes.exec(node, argv, stdout=stdout, stderr=stderr)

    def _start(self, stream: _Stream) -> None:
        started_s = self._clock() - self._began  # before it runs: on a busy host, starting it takes a while
        stream.client = self._spawn(stream.camera, "client")
        stream.due_s = started_s + stream.camera.stop_s - stream.camera.start_s
        self._observer.camera_started(stream.camera)

    def _not_listening(self) -> list[_Stream]:
        """The streams whose server is not ready, asked once per sink node."""
        ready = {
            service: listening(self._nodes, self._sinks[service], self._tool.listens)
            for service in {stream.camera.service for stream in self._streams}
        }
        return [
            stream
            for stream in self._streams
            if (stream.camera.destination, stream.camera.port) not in ready[stream.camera.service]
        ]

    def _look_after(self, now_s: float) -> None:
        for stream in self._streams:
            if stream.done:
                continue
            ended = {side: code for side, code in self._exits(stream).items() if code is not None}
            if ended and (stream.client is None or now_s < stream.due_s or any(ended.values())):
                raise self._died(stream, ended)
            stream.done = len(ended) == 2
            if not stream.done and stream.client and now_s > stream.due_s + DONE_WITHIN_S:
                still = " and ".join(sorted({"client", "server"} - set(ended)))
                raise RunFailed(
                    f"camera {stream.camera.camera}: its {still} still runs "
                    f"{DONE_WITHIN_S:g} s after its end",
                    hint="does anything arrive, and does the management network connect both sides?",
                )

    def _exits(self, stream: _Stream) -> dict[str, int | None]:
        sides = {"server": stream.server, "client": stream.client}
        return {side: child.poll() for side, child in sides.items() if child}

    def _died(self, stream: _Stream, ended: Mapping[str, int]) -> RunFailed:
        """Both sides end when one does; the one that failed is named first, with what it said last."""
        first = sorted(ended, key=lambda side: ended[side] == 0)
        sayings = [
            f"{side} ended with {ended[side]} ({self._last_words(stream.camera, side)})" for side in first
        ]
        return RunFailed(
            f"camera {stream.camera.camera}: " + "; ".join(sayings),
            hint=f"its output is in {self._directory / stream.camera.service}",
        )

    def _last_words(self, camera: Camera, side: str) -> str:
        lines = self._read(camera, side, "err").strip().splitlines()
        return self._tool.fault(self._read(camera, side)) or (lines[-1] if lines else "it said nothing")

    def _complete_if_done(self, now_s: float) -> None:
        over = now_s >= self._schedule.duration_s and not self._waiting
        if over and all(stream.done for stream in self._streams):
            self._completed = True
            self._observer.completed(self._schedule)
