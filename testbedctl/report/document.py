"""The report document: the one source of every format, and what ``--json`` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from testbedctl.analysis.comparison import Comparison, comparisons
from testbedctl.analysis.results import results_of
from testbedctl.analysis.samples import Samples
from testbedctl.analysis.statistics import Measured
from testbedctl.ports import HOPS
from testbedctl.records.manifest import Status, VnfRecord
from testbedctl.report.warning import warnings_of

if TYPE_CHECKING:
    from testbedctl.records.manifest import Step
    from testbedctl.records.reader import RunReader

SCHEMA: Literal["testbedctl.report/1"] = "testbedctl.report/1"


class Part(BaseModel):
    """Base of every part of the document: complete on building, unchanged after."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class StepReport(Part):
    """One step of one arm; a value is None when it was not measured. VNF keys are ``service/vnf``."""

    step: int
    start_s: float
    end_s: float
    offered_bps: float
    sent_bps: Measured | None
    delivered_bps: Measured | None
    loss_ratio: Measured | None
    delivered_ratio: Measured | None
    settled_delivered_ratio: Measured | None
    others_loss_ratio: Measured | None
    jitter_s: Measured | None
    vnf_cpu_ratio: dict[str, Measured | None]
    slice_cpu_ratio: dict[str, Measured | None]
    throttled_ratio: dict[str, Measured | None]
    lost: dict[str, Measured | None]


class DecisionReport(Part):
    """One decision; ``trial`` counts within the arm, ``at_s`` from the trial's start."""

    trial: int
    at_s: float
    step: int
    action: str
    vnf: str
    target: str | None
    share_ratio: float | None
    observed: float | None
    forecast: float | None
    threshold: float | None
    reason: str
    applied_after_s: float | None


class ArmReport(Part):
    """One arm: its complete trials, its steps, packets lost over the whole trial, its decisions."""

    name: str
    trials: int
    steps: list[StepReport]
    lost: dict[str, Measured | None]
    decisions: list[DecisionReport]


class Report(Part):
    """A whole report. ``exhausted`` are the stressed service's vDPIs, ``shared`` those of the others."""

    schema_: Annotated[Literal["testbedctl.report/1"], Field(alias="schema")] = SCHEMA
    run: str
    status: Status
    cause: str | None
    lab: str
    testbed: str
    profile: str
    service: str
    trials: int
    seed: int
    tool: dict[str, str]
    host: dict[str, Any]
    vnfs: dict[str, VnfRecord]
    exhausted: list[str]
    shared: list[str]
    warnings: list[str]
    arms: list[ArmReport]
    comparison: list[Comparison]

    def arm(self, name: str) -> ArmReport | None:
        """An arm by its name."""
        return next((arm for arm in self.arms if arm.name == name), None)


def report_of(run: RunReader) -> Report:
    """Build the report of a run from its directory alone.

    Raises Inconclusive when no trial is complete, InvalidFile when a file is missing or damaged.
    """
    manifest = run.manifest
    samples = Samples(results_of(run))
    vdpis = [key for key, vnf in manifest.vnfs.items() if vnf.function == "vdpi"]
    exhausted = [key for key in vdpis if manifest.vnfs[key].service == manifest.service]
    alone = {vnf.service for vnf in manifest.vnfs.values()} == {manifest.service}
    return Report(
        run=run.name,
        status=run.status,
        cause=run.cause,
        lab=manifest.lab,
        testbed=str(manifest.testbed.get("name", manifest.lab)),
        profile=str(manifest.profile["name"]),
        service=manifest.service,
        trials=manifest.trials,
        seed=manifest.seed,
        tool=manifest.tool,
        host=manifest.host.model_dump(mode="json"),
        vnfs=manifest.vnfs,
        exhausted=exhausted,
        shared=[key for key in vdpis if key not in exhausted],
        warnings=warnings_of(run, samples),
        arms=[_arm(run, samples, name) for name in manifest.arms],
        comparison=comparisons(samples, manifest.arms, manifest.steps, exhausted, alone=alone),
    )


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain data, ready for ``json.dump``."""
    return report.model_dump(mode="json", by_alias=True)


def json_text(report: Report) -> str:
    """The report as the text of a JSON file."""
    return json.dumps(as_json(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _arm(run: RunReader, samples: Samples, name: str) -> ArmReport:
    return ArmReport(
        name=name,
        trials=samples.trials(name),
        steps=[_step(samples, name, step, list(run.manifest.vnfs)) for step in run.manifest.steps],
        lost=_lost(samples, name, step=0),
        decisions=_decisions(run, name),
    )


def _step(samples: Samples, arm: str, step: Step, vnfs: list[str]) -> StepReport:
    def of(quantity: str, vnf: str | None = None) -> Measured | None:
        return samples.measured(arm, step.step, quantity, vnf)

    return StepReport(
        step=step.step,
        start_s=step.start_s,
        end_s=step.end_s,
        offered_bps=step.offered_bps,
        sent_bps=of("sent_bps"),
        delivered_bps=of("delivered_bps"),
        loss_ratio=of("loss_ratio"),
        delivered_ratio=of("delivered_ratio"),
        settled_delivered_ratio=of("settled_delivered_ratio"),
        others_loss_ratio=of("others_loss_ratio"),
        jitter_s=of("jitter_s"),
        vnf_cpu_ratio={vnf: of("vnf_cpu_ratio", vnf) for vnf in vnfs},
        slice_cpu_ratio={vnf: of("slice_cpu_ratio", vnf) for vnf in vnfs},
        throttled_ratio={vnf: of("throttled_ratio", vnf) for vnf in vnfs},
        lost=_lost(samples, arm, step.step),
    )


def _lost(samples: Samples, arm: str, step: int) -> dict[str, Measured | None]:
    return {hop: samples.measured(arm, step, f"lost_{hop}") for hop in HOPS}


def _decisions(run: RunReader, arm: str) -> list[DecisionReport]:
    shown = set(DecisionReport.model_fields)
    return [
        DecisionReport(**decision.model_dump(include=shown))
        for trial in run.trials
        if trial.record.arm == arm
        for decision in trial.decisions()
    ]
