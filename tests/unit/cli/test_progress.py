"""The progress of a run: a live line on a terminal of 80 columns, plain lines in a pipe."""

from __future__ import annotations

import re
import subprocess
import sys

from unit.cli.program import environment, on_terminal

SCRIPT = """
import time
from types import SimpleNamespace as Some
from testbedctl.cli.measuring import progress_of
from testbedctl.cli.output import err
from testbedctl.traffic.schedule import Schedule, Step

steps = (Step(1, 0.0, 1.0, 2e6), Step(2, 1.0, 2.0, 600e6))
with progress_of(err()) as seen:
    for n, arm in enumerate(("none", "reactive:threshold=0.5,settle_s=3,hold_s=20"), 1):
        seen.trial_begun(Some(n=n, arm=arm), 2)
        seen.started(Schedule("service1", 2, steps, ()))
        for step in steps:
            seen.step_changed(step)
            time.sleep(0.6)  # long enough for the display to refresh
        seen.decided("share at 9.5 s: CPU of [service1/vdpi] is 85 % of its quota, threshold 60 %")
        seen.completed(Schedule("service1", 2, steps, ()))
        seen.trial_ended(Some(valid=n == 1, cause="blind", warnings=["others used 0.4 cores"] * (n - 1)))
print("whole")
"""
ARGV = [sys.executable, "-c", SCRIPT]


def test_on_a_terminal_it_is_one_live_line_of_80_columns() -> None:
    code, written = on_terminal(ARGV)
    assert code == 0, written
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", written)
    lines = [line for line in re.split(r"[\r\n]+", plain) if line]
    assert max(map(len, lines)) <= 80
    assert any(re.fullmatch(r"trial 1/2 none: 2 Mb/s [━╸╺ ]+ \d\.\d s left *", line) for line in lines)
    assert any(
        re.match(r"trial 2/2 reactive:threshol…: 600 Mb/s [━╸╺ ]+ \d\.\d s left", line) for line in lines
    )
    assert any(line.startswith("trial 1/2 none: draining ") for line in lines)
    assert "[service1/vdpi]" in plain


def test_in_a_pipe_it_is_whole_lines() -> None:
    done = subprocess.run(ARGV, env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "whole\n"
    assert done.stderr.splitlines() == [
        "trial 1/2 none: share at 9.5 s: CPU of [service1/vdpi] is 85 % of its quota, threshold 60 %",
        "trial 1/2 none: done",
        "trial 2/2 reactive:threshold=0.5,settle_s=3,hold_s=20: share at 9.5 s: CPU of [service1/vdpi] is "
        "85 % of its quota, threshold 60 %",
        "trial 2/2 reactive:threshold=0.5,settle_s=3,hold_s=20: invalid and repeated: blind",
        "  warning: others used 0.4 cores",
    ]  # fmt: skip
