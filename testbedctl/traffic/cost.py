"""What a run will cost in time and disk, before it begins (``stress --dry-run``)."""

from __future__ import annotations

from typing import NamedTuple

from testbedctl.traffic.schedule import Schedule

JSON_BYTES_PER_CAMERA = 4_300
"""Both iperf3 documents of a camera, without their intervals; measured with 3.12."""

JSON_BYTES_PER_CAMERA_SECOND = 1_200
"""Both sides' interval of one second; measured with 3.12."""


class Cost(NamedTuple):
    """Seconds of measured traffic, and bytes that traffic leaves on disk.

    Not in it, because they depend on the testbed: each trial's warm-up, its servers' start and its
    drain (some seconds a trial), and the telemetry (some KiB a second).
    """

    seconds: float
    disk_bytes: int


def plan_cost(schedule: Schedule, arms: int, trials: int) -> Cost:
    """The cost of ``trials`` trials of each of ``arms`` arms.

    Three arms of five trials of the paper's exponential profile (10 steps of 30 s) are 75 minutes.
    """
    camera_seconds = sum(camera.stop_s - camera.start_s for camera in schedule.cameras)
    once = len(schedule.cameras) * JSON_BYTES_PER_CAMERA + camera_seconds * JSON_BYTES_PER_CAMERA_SECOND
    return Cost(float(arms * trials * schedule.duration_s), arms * trials * once)
