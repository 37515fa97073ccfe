"""What a reader must know before believing a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from testbedctl.analysis.statistics import TRIALS_FOR_BOOTSTRAP
from testbedctl.records.trial import BUSY_OTHER_CORES, IDLE_RATIO, STEAL_RATIO
from testbedctl.units import percent

if TYPE_CHECKING:
    from testbedctl.analysis.samples import Samples
    from testbedctl.records.reader import RunReader, TrialReader

UNATTRIBUTED_RATIO = 0.001
"""The hops of a loss must add up to what is missing within this share of the sent packets."""


def warnings_of(run: RunReader, samples: Samples) -> list[str]:
    """Every warning, the gravest first, each once."""
    found = [
        *_incomplete(run, samples),
        *run.manifest.warnings,
        *_holes(run, samples),
        *_cpu_holes(run, samples),
        *(warning for trial in run.trials for warning in _trial(trial)),
        *(warning for trial in run.trials for warning in _unattributed(trial, run.manifest.service)),
        *_intervals(run, samples),
    ]
    return list(dict.fromkeys(found))


def _incomplete(run: RunReader, samples: Samples) -> Iterator[str]:
    if run.status != "complete":
        cause = f" ({run.cause})" if run.cause else ""
        yield f"the run is {run.status}{cause}: only its complete trials are reported"
    for arm in run.manifest.arms:
        if samples.trials(arm) < run.manifest.trials:
            yield f"arm {arm} has {samples.trials(arm)} of {run.manifest.trials} planned trials"
    for trial in run.invalid_trials:
        reasons = "; ".join(trial.record.warnings) or "no reason given"
        yield f"trial {trial.record.n} ({trial.record.arm}) was invalid and is left out: {reasons}"


def _holes(run: RunReader, samples: Samples) -> Iterator[str]:
    for arm in run.manifest.arms:
        for step in run.manifest.steps:
            found = len(samples.values(arm, step.step, "delivered_bps"))
            if found < samples.trials(arm):
                yield f"step {step.step} of arm {arm} was measured in {found} of {samples.trials(arm)} trials"


def _cpu_holes(run: RunReader, samples: Samples) -> Iterator[str]:
    """Steps in which a VNF's CPU is missing in some trials, a line per arm and VNF."""
    for arm in run.manifest.arms:
        planned = samples.trials(arm)
        for vnf in run.manifest.vnfs:
            steps: dict[int, list[str]] = {}
            for step in run.manifest.steps:
                found = len(samples.values(arm, step.step, "vnf_cpu_ratio", vnf))
                if found < planned:
                    steps.setdefault(found, []).append(str(step.step))
            if steps:
                parts = (f"in {found} of {planned} in step {', '.join(of)}" for found, of in steps.items())
                yield f"CPU of {vnf} in arm {arm}, trials that measured it: {'; '.join(parts)}"


def _trial(trial: TrialReader) -> Iterator[str]:
    record, noise = trial.record, trial.record.noise
    head = f"trial {record.n} ({record.arm}): "
    for sentence in record.warnings:
        yield head + sentence
    if noise.steal_ratio_max is not None and noise.steal_ratio_max > STEAL_RATIO:
        yield f"{head}the hypervisor took {percent(noise.steal_ratio_max):.0f} % of the host's CPU"
    if noise.busy_other_cores_max is not None and noise.busy_other_cores_max > BUSY_OTHER_CORES:
        yield f"{head}other processes used {noise.busy_other_cores_max:.2f} cores"
    if noise.idle_ratio_min is not None and noise.idle_ratio_min < IDLE_RATIO:
        yield f"{head}the host had {percent(noise.idle_ratio_min):.0f} % idle time left"


def _unattributed(trial: TrialReader, service: str) -> Iterator[str]:
    flows = trial.table("flows").select(["service", "sent_packets"]).to_pylist()
    sent = sum(row["sent_packets"] or 0 for row in flows if row["service"] == service)
    hops = [row for row in trial.table("hops").to_pylist() if row["packets"] is not None]
    steps = {row["step"] for row in hops}
    missing = sum(
        row["packets"]
        for row in hops
        if row["service"] == service
        and row["hop"] == "unattributed"
        and row["step"] == (0 if 0 in steps else row["step"])
    )
    if sent and abs(missing) > UNATTRIBUTED_RATIO * sent:
        yield (
            f"trial {trial.record.n} ({trial.record.arm}): {missing} of {sent} sent packets are "
            "attributed to no hop"
        )


def _intervals(run: RunReader, samples: Samples) -> Iterator[str]:
    fewest = min(samples.trials(arm) for arm in run.manifest.arms)
    if 0 < fewest < TRIALS_FOR_BOOTSTRAP:
        yield (
            f"with fewer than {TRIALS_FOR_BOOTSTRAP} trials per arm an interval is the range of "
            "what was seen, not a 95 % interval"
        )
