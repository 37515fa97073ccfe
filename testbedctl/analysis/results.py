"""The tidy results of a run: one row per trial, step and quantity (docs/reference/run-format.md)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from testbedctl.errors import Inconclusive
from testbedctl.records.tables import HOPS, SCHEMAS

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
    yield from _throughput(trial, manifest.service)
    yield from _settled(trial, manifest)
    yield from _others_loss(trial, manifest.service)
    yield from _vnf_means(trial)
    yield from _losses(trial, manifest.service)


def _throughput(trial: TrialReader, service: str) -> Iterator[Value]:
    rows = [row for row in trial.table("steps").to_pylist() if row["service"] == service]
    if not rows:
        raise Inconclusive(f"{trial.path / 'steps.parquet'} holds nothing of {service}")
    for row in rows:
        step, sent, delivered = row["step"], row["sent_bps"], row["delivered_bps"]
        if sent <= 0 or row["offered_bps"] <= 0:
            raise Inconclusive(f"{trial.path / 'steps.parquet'}: nothing was sent in step {step}")
        yield step, "sent_bps", None, sent
        yield step, "delivered_bps", None, delivered
        yield step, "loss_ratio", None, 1 - delivered / sent
        yield step, "delivered_ratio", None, delivered / row["offered_bps"]
        if row["jitter_s"] is not None:
            yield step, "jitter_s", None, row["jitter_s"]


def _settled(trial: TrialReader, manifest: Manifest) -> Iterator[Value]:
    """``settled_delivered_ratio``: delivered ÷ offered once the step's last move had been applied.

    A second without a row in ``flows.parquet`` was not measured, and then the ratio is not either.
    """
    delivered = delivered_bytes(trial, manifest.service)
    rows = {
        row["step"]: row for row in trial.table("steps").to_pylist() if row["service"] == manifest.service
    }
    moved = [second for second, _ in applied_moves(trial.decisions())]
    for step in manifest.steps:
        if step.step not in rows:
            continue
        inside = [second for second in moved if step.start_s <= second < step.end_s]
        if not inside:
            row = rows[step.step]
            yield step.step, "settled_delivered_ratio", None, row["delivered_bps"] / row["offered_bps"]
        elif (seconds := _whole_seconds(step, after_s=inside[-1])) and delivered.keys() >= set(seconds):
            bits = 8 * sum(delivered[second] for second in seconds)
            yield step.step, "settled_delivered_ratio", None, bits / len(seconds) / step.offered_bps


def _whole_seconds(step: Step, *, after_s: float) -> range:
    return range(math.ceil(max(after_s, step.start_s)), math.floor(step.end_s))


def _others_loss(trial: TrialReader, service: str) -> Iterator[Value]:
    """``others_loss_ratio``: what all other services together lost, which a share must not raise."""
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in trial.table("steps").to_pylist():
        if row["service"] != service:
            sums[row["step"]][0] += row["sent_bps"]
            sums[row["step"]][1] += row["delivered_bps"]
    for step, (sent, delivered) in sums.items():
        if sent > 0:
            yield step, "others_loss_ratio", None, 1 - delivered / sent


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
