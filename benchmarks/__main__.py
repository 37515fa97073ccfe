"""``python -m benchmarks [NAME…]``: needs root and an otherwise idle machine; prints a Markdown table."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from benchmarks.command import own_state
from benchmarks.table import Row, render

NAMES = ("start_up", "chain", "sharing", "dataset", "forecast_speed", "forecast_models", "forecast_bound")


def main() -> None:
    """Run the named benchmarks, or all."""
    if os.geteuid() != 0:
        sys.exit("benchmarks bring labs up: run them as root")
    wanted = sys.argv[1:] or list(NAMES)
    unknown = sorted(set(wanted) - set(NAMES))
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    rows: list[Row] = []
    for name in wanted:
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        with own_state():
            rows += import_module(f"benchmarks.{name}").measure()
    print(render(rows))


main()
