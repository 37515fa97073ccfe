"""What the local backend cannot do without."""

from __future__ import annotations

import os

from testbedctl.host.programs import PROGRAMS, found


def missing() -> list[str]:
    """One sentence for each thing that is missing; empty where a lab can be brought up."""
    said = [] if os.geteuid() == 0 else ["not root: namespaces and control groups need it"]
    needed = {name: program for name, program in PROGRAMS.items() if not program.optional}
    absent = sorted({program.package for name, program in needed.items() if found(name) is None})
    if absent:
        said.append(f"missing packages: {' '.join(absent)} (apt-get install {' '.join(absent)})")
    return said
