"""The predictive-slicing paper's own models among those of an evaluation."""

from __future__ import annotations

from testbedctl.forecast.evaluation.result import Contestant, Judgement

WINDOW = 3
"""§7.1: a window of three steps."""


def as_described(judgement: Judgement, model: str) -> Contestant | None:
    """The first ``lstm`` or ``transformer`` with the layers and the window of §7, one step ahead."""
    return next((row for row in _rows(judgement, model) if row.window == WINDOW), None)


def by_window(judgement: Judgement) -> list[Contestant]:
    """The LSTMs of §7.1, one for each length of window, the shortest first."""
    lengths = {row.window: row for row in reversed(_rows(judgement, "lstm"))}
    return sorted(lengths.values(), key=lambda row: row.window or 0)


def _rows(judgement: Judgement, model: str) -> list[Contestant]:
    """Rows with the paper's layers, one step ahead, each VM scaled by itself."""
    rows = [row for row in judgement.contestants if row.config.get("model") == model and row.errors]
    return [row for row in rows if not row.config["options"] and row.horizon == 1 and row.scaling == "per-vm"]
