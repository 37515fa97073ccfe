"""How many decisions policies have made in a lab: a small file that runs write and an agent exposes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from testbedctl.errors import RunFailed

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

SCHEMA = "testbedctl.decisions/1"
ACTIONS = ("share", "release", "scale-out", "recommend-sla", "hold")


def read(path: Path) -> dict[str, int]:
    """The counts by action since the lab came up: without a file nobody has decided anything yet.

    Raises ``ValueError`` if the file is not ours.
    """
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return dict.fromkeys(ACTIONS, 0)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not of the schema {SCHEMA}")
    return {action: int(document["decisions"][action]) for action in ACTIONS}


def add(path: Path, actions: Iterable[str]) -> None:
    """Count further decisions; a reader sees the old document or the new one, whole.

    One writer at a time: runs hold the lab's lock. Raises ``RunFailed`` if the file cannot be replaced.
    """
    try:
        counts = read(path)
        for action in actions:
            counts[action] += 1
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps({"schema": SCHEMA, "decisions": counts}))
        draft.replace(path)
    except (OSError, ValueError, KeyError) as error:
        raise RunFailed(f"decisions cannot be counted in {path}: {error}") from error


class DecisionReader:
    """Reads the file at each scrape; what cannot be read is absent, and said once."""

    def __init__(self, lab: str, path: Path) -> None:
        self._lab, self._path = lab, path
        self._said = ""

    def collect(self) -> Iterator[Metric]:
        """``asro_decisions_total`` by action."""
        fault = ""
        try:
            counts = read(self._path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            counts, fault = {}, f"decisions: {type(error).__name__}: {error}"
        if fault != self._said:
            print(fault or "decisions: can be read again", file=sys.stderr, flush=True)
            self._said = fault
        if counts:
            help_text = "Decisions of the policies that have run in this lab"
            family = CounterMetricFamily("asro_decisions", help_text, labels=["lab", "action"])
            for action, count in counts.items():
                family.add_metric([self._lab, action], count)
            yield family
