"""How long the command takes to answer, and a lab to come up and go."""

from __future__ import annotations

import json

from benchmarks.command import LAB, run
from benchmarks.table import Row, spread

RUNS = 5


def measure() -> list[Row]:
    """``--help``, and ``up`` and ``down`` of the default testbed."""
    helped = [run("--help")[0] for _ in range(RUNS)]
    ups, downs, up_walls, down_walls = [], [], [], []
    for _ in range(RUNS):
        wall, out = run("up", "--lab", LAB, "--json")
        up_walls.append(wall)
        ups.append(json.loads(out)["up_s"])
        wall, out = run("down", "--lab", LAB, "--json")
        down_walls.append(wall)
        downs.append(json.loads(out)["labs"][0]["down_s"])
    return [
        Row("`testbedctl --help`", "≤ 0.2 s", spread(helped, "s"), max(helped) <= 0.2),
        Row(
            "`up` until every health check passes, whole process",
            "≤ 6 s",
            spread(up_walls, "s"),
            max(up_walls) <= 6,
        ),
        Row("`down` with audit, whole process", "≤ 2 s", spread(down_walls, "s"), max(down_walls) <= 2),
        Row(
            "the same without the interpreter's start: up / down",
            "",
            f"{spread(ups, 's')} / {spread(downs, 's')}",
            None,
        ),
    ]
