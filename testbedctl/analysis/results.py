"""The tidy results of a run: one row per trial, step and quantity (docs/reference/run-format.md)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from testbedctl.analysis.losses import Count, Part, counts, total
from testbedctl.errors import Inconclusive
from testbedctl.ports import HOPS
from testbedctl.records.tables import SCHEMAS

if TYPE_CHECKING:
    import pyarrow as pa

    from testbedctl.records.manifest import Manifest, Step
    from testbedctl.records.reader import RunReader, TrialReader
    from testbedctl.records.trial import Decision

Row = dict[str, Any]
Value = tuple[int, str, str | None, float]
"""Step, quantity, VNF or None, value."""

VNF_QUANTITIES = {
    "vnf_cpu_ratio": "cpu_ratio",
    "slice_cpu_ratio": "slice_cpu_ratio",
    "throttled_ratio": "throttled_ratio",
}
"""Quantity to the column of ``vnfs.parquet`` of which it is the mean over a step's scrapes."""


def results_of(run: RunReader) -> pa.Table:
    """The results of a run: as recorded if it is complete, else from the trials that are.

    Raises Inconclusive when there is no complete trial, or when one measured nothing;
    InvalidFile when a table is missing or damaged.
    """
    import pyarrow as pa

    recorded = run.results()
    if recorded is not None:
        return recorded
    rows = [row for trial in run.trials for row in _trial_rows(trial, run.manifest)]
    if not rows:
        raise Inconclusive(f"run {run.name} ({run.status}) holds no complete trial")
    return pa.Table.from_pylist(rows, schema=SCHEMAS["results"])


def applied_moves(decisions: list[Decision]) -> list[tuple[float, Decision]]:
    """The shares and releases that reached the switch, each with the trial second of its barrier reply."""
    moves = [d for d in decisions if d.action in ("share", "release") and d.applied_after_s is not None]
    return sorted(((d.at_s + (d.applied_after_s or 0.0), d) for d in moves), key=lambda move: move[0])


def delivered_bytes(trial: TrialReader, service: str) -> dict[int, int]:
    """What arrived of a service's cameras in each second of the trial that has a row."""
    sums: dict[int, int] = defaultdict(int)
    for row in trial.table("flows").select(["service", "second", "delivered_bytes"]).to_pylist():
        if row["service"] == service:
            sums[row["second"]] += row["delivered_bytes"]
    return dict(sums)


def _trial_rows(trial: TrialReader, manifest: Manifest) -> Iterator[Row]:
    record = trial.record
    for step, quantity, vnf, value in _trial_values(trial, manifest):
        yield {
            "trial": record.trial,
            "arm": record.arm,
            "step": step,
            "quantity": quantity,
            "vnf": vnf,
            "value": value,
        }


def _trial_values(trial: TrialReader, manifest: Manifest) -> Iterator[Value]:
    steps = trial.table("steps").to_pylist()
    yield from _throughput(trial, manifest, [row for row in steps if row["service"] == manifest.service])
    yield from _others_loss(trial, [row for row in steps if row["service"] != manifest.service])
    yield from _vnf_means(trial)
    yield from _losses(trial, manifest.service)


def _throughput(trial: TrialReader, manifest: Manifest, rows: list[Row]) -> Iterator[Value]:
    if not rows:
        raise Inconclusive(f"{trial.path / 'steps.parquet'} holds nothing of {manifest.service}")
    settled_s = _settled_s(trial, manifest.steps)
    parts = counts(trial, manifest.service, settled_s)
    for row in rows:
        step, sent, offered = row["step"], row["sent_bps"], row["offered_bps"]
        if sent <= 0 or offered <= 0:
            raise Inconclusive(f"{trial.path / 'steps.parquet'}: nothing was sent in step {step}")
        loss = _loss(trial, parts, step, manifest.service)
        yield step, "sent_bps", None, sent
        yield step, "delivered_bps", None, sent * (1 - loss)
        yield step, "loss_ratio", None, loss
        yield step, "delivered_ratio", None, sent * (1 - loss) / offered
        if step not in settled_s:
            yield step, "settled_delivered_ratio", None, sent * (1 - loss) / offered
        elif (settled := parts.get((step, True))) and settled.seconds >= _whole_seconds(row, settled_s[step]):
            bits = 8 * settled.delivered_bytes
            yield step, "settled_delivered_ratio", None, bits / len(settled.seconds) / offered
        if row["jitter_s"] is not None:
            yield step, "jitter_s", None, row["jitter_s"]


def _settled_s(trial: TrialReader, steps: list[Step]) -> dict[int, float]:
    """When the last move of each step in which something moved had been applied."""
    moved = [second for second, _ in applied_moves(trial.decisions())]
    last = {step.step: [s for s in moved if step.start_s <= s < step.end_s][-1:] for step in steps}
    return {step: second for step, seconds in last.items() for second in seconds}


def _whole_seconds(row: Row, after_s: float) -> set[int]:
    """The step's whole seconds after a move. One without a row in ``flows.parquet`` was not measured."""
    return set(range(math.ceil(after_s), math.floor(row["end_s"])))


def _loss(trial: TrialReader, parts: dict[Part, Count], step: int, service: str) -> float:
    its = [count for (number, _), count in parts.items() if number == step]
    if not its:
        raise Inconclusive(f"{trial.path / 'flows.parquet'} holds nothing of {service} in step {step}")
    return total(its).loss_ratio


def _others_loss(trial: TrialReader, rows: list[Row]) -> Iterator[Value]:
    """``others_loss_ratio``: what all other services together lost, which a share must not raise."""
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    parts = {service: counts(trial, service, {}) for service in {row["service"] for row in rows}}
    for row in rows:
        if row["sent_bps"] > 0:
            step, service = row["step"], row["service"]
            sums[step][0] += row["sent_bps"]
            sums[step][1] += row["sent_bps"] * _loss(trial, parts[service], step, service)
    for step, (sent, lost) in sums.items():
        yield step, "others_loss_ratio", None, lost / sent


def _vnf_means(trial: TrialReader) -> Iterator[Value]:
    samples: dict[tuple[int, str, str], list[float]] = defaultdict(list)
    for row in trial.table("vnfs").to_pylist():
        for quantity, column in VNF_QUANTITIES.items():
            if row["step"] > 0 and row[column] is not None:
                samples[row["step"], quantity, row["vnf"]].append(row[column])
    for (step, quantity, vnf), values in samples.items():
        yield step, quantity, vnf, math.fsum(values) / len(values)


def _losses(trial: TrialReader, service: str) -> Iterator[Value]:
    """``lost_<hop>`` per step, and as step 0 over the whole trial."""
    packets: dict[tuple[int, str], int] = defaultdict(int)
    for row in trial.table("hops").to_pylist():
        if row["service"] == service and row["packets"] is not None:
            packets[row["step"], row["hop"]] += row["packets"]
    whole = {hop for step, hop in packets if step == 0}
    for (step, hop), count in list(packets.items()):
        if step > 0 and hop not in whole:
            packets[0, hop] += count
    for step, hop in sorted(packets, key=lambda key: (key[0], HOPS.index(key[1]))):
        yield step, f"lost_{hop}", None, float(packets[step, hop])
