"""A synthetic run for tests: drawn from a seeded model, not measured. Never cite a number of it.

Two arms of equal trials, four steps, one share per reactive trial. What the vDPI cannot carry is lost in
its throttled hop; the model is only there so that every table holds consistent numbers. As in real runs the
receiver's clock differs from the sender's: what arrives last in an odd step counts for the next one.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from testbedctl.analysis.results import results_of
from testbedctl.ports import HOPS
from testbedctl.records.manifest import Manifest
from testbedctl.records.run import RunWriter, TrialWriter

NAME = "20260101T000000Z-synthetic-000001"
STRESSED, OTHER = "service1", "service2"
RATES_BPS = (2e6, 75e6, 300e6, 600e6)
STEP_S = 4
OTHERS_BPS = 2e6
CAPACITY_BPS = 270e6
QUOTA_CORES, SLICE_CORES = 0.25, 1.25
THRESHOLD = 0.6
SHARED_FROM_S = 9.6  # the barrier reply; the sample that shows the overload is from second 9
DATAGRAM_BYTES = 1400
LATE_RATIO = 0.01  # of the packets of a second in an odd step, counted by the receiver in the next one


@dataclass
class Recipe:
    """What a test wants to be different from the ordinary run."""

    arms: tuple[str, ...] = ("none", "reactive")
    trials: int = 3
    seed: int = 7
    name: str = NAME
    effect: bool = True
    traffic: Literal["udp", "tcp", "pcap"] = "udp"
    rates_bps: tuple[float, ...] = RATES_BPS
    manifest: dict[str, Any] = field(default_factory=dict)


def manifest_of(recipe: Recipe) -> Manifest:
    """The manifest of the synthetic run."""
    steps = [
        {"step": n, "start_s": (n - 1) * STEP_S, "end_s": n * STEP_S, "offered_bps": rate}
        for n, rate in enumerate(recipe.rates_bps, 1)
    ]
    cameras = [
        {
            "camera": f"{service}/1",
            "service": service,
            "source": f"10.0.{index}.1",
            "destination": f"10.9.{index}.1",
            "rate_bps": 2e6,
            "start_s": 0,
            "stop_s": STEP_S * len(recipe.rates_bps),
        }
        for index, service in enumerate((STRESSED, OTHER), 1)
    ]
    document: dict[str, Any] = {
        "run": recipe.name,
        "created": f"{recipe.name[:4]}-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:02:00+00:00",
        "lab": "synthetic",
        "testbed": {"name": "slice-sharing"},
        "profile": {"name": "synthetic", "traffic": recipe.traffic},
        "steps": steps,
        "cameras": cameras,
        "service": STRESSED,
        "vnfs": {f"{s}/{f}": _vnf(s, f) for s in (STRESSED, OTHER) for f in ("van", "vdpi")},
        "arms": recipe.arms,
        "trials": recipe.trials,
        "seed": recipe.seed,
        "order": [
            {"n": trial * len(recipe.arms) + index + 1, "arm": arm, "trial": trial + 1}
            for trial in range(recipe.trials)
            for index, arm in enumerate(recipe.arms)
        ],
        "tool": {"testbedctl": "0.0.0-synthetic"},
        "dependencies": {"pyarrow": "0"},
        "host": _HOST,
        "warnings": ["this run is synthetic: its numbers were drawn, not measured"],
    }
    return Manifest.model_validate({**document, **recipe.manifest})


def make_run(runs_dir: Path, recipe: Recipe | None = None) -> Path:
    """Write the whole run into ``runs_dir`` and return its directory."""
    recipe = recipe or Recipe()
    with RunWriter.create(runs_dir, manifest_of(recipe)) as run:
        for planned in run.manifest.order:
            write_trial(run.trial(planned.n, planned.arm), recipe)
        return run.complete(results_of(run.reader()))


def write_trial(trial: TrialWriter, recipe: Recipe, *, without_step: int | None = None) -> None:
    """Write one synthetic trial, on request with a hole where a step should be."""
    draw = random.Random(f"{recipe.seed}/{trial.planned.n}")
    model = _Model(draw, _moves(trial.planned.arm, recipe), recipe)
    steps = [n for n in range(1, len(recipe.rates_bps) + 1) if n != without_step]
    flows = [row for n in steps for row in model.flows(n)]
    trial.write_table("flows", flows)
    trial.write_table(
        "steps", [model.step(n, service, flows) for n in steps for service in (STRESSED, OTHER)]
    )
    trial.write_table("vnfs", [row for n in steps for row in model.vnfs(n)])
    trial.write_table("hops", [row for n in steps for row in model.hops(n, flows)])
    trial.write_table(
        "telemetry", [{"unix_s": 1767225600.0, "metric": "up", "labels": '{"job":"vnf"}', "value": 1.0}]
    )
    for decision in model.decisions():
        trial.append_decision(decision)
    (trial.iperf_dir / "service1-1.client.json").write_text("{}\n")
    trial.write_trial(
        {
            "status": "complete",
            "started": "2026-01-01T00:00:00+00:00",
            "duration_s": float(STEP_S * len(recipe.rates_bps)),
            "cookie": 1,
            "noise": {"idle_ratio_min": 0.35, "steal_ratio_max": 0.0, "busy_other_cores_max": 0.05},
            "dpi": {"service1/vdpi": {"forwarded": 1000, "inspected": 1000, "ratio": 1.0}},
        }
    )


def _moves(arm: str, recipe: Recipe) -> bool:
    return arm != "none" and recipe.effect


@dataclass
class _Model:
    """A vDPI that carries at most ``CAPACITY_BPS``, and a second one that helps once ``shared``."""

    draw: random.Random
    shared: bool
    recipe: Recipe
    late: dict[str, int] = field(default_factory=dict)

    def flows(self, step: int) -> list[dict[str, Any]]:
        rows = []
        for second in range((step - 1) * STEP_S, step * STEP_S):
            for service, offered in ((STRESSED, self.recipe.rates_bps[step - 1]), (OTHER, OTHERS_BPS)):
                capacity = CAPACITY_BPS * self.draw.uniform(0.97, 1.03)
                if self.shared and second >= SHARED_FROM_S:
                    capacity *= 2.4
                sent = int(offered / 8 / DATAGRAM_BYTES)
                delivered = min(sent, int(capacity / 8 / DATAGRAM_BYTES))
                arrived = self.arrived(service, second, delivered)
                rows.append(_flow(service, second, step, sent, delivered, arrived))
        return [_KINDS[self.recipe.traffic](row) for row in rows]

    def arrived(self, service: str, second: int, delivered: int) -> int:
        """Packets that the receiver counts in this second by its own clock."""
        before = self.late.get(service, 0)
        in_even_step = (second // STEP_S) % 2 == 1
        self.late[service] = 0 if in_even_step else int(delivered * LATE_RATIO)
        return before + delivered - self.late[service]

    def step(self, step: int, service: str, flows: list[dict[str, Any]]) -> dict[str, Any]:
        own = [row for row in flows if (row["step"], row["service"]) == (step, service)]
        sent, delivered = (
            8 * sum(row[key] for row in own) / STEP_S for key in ("sent_bytes", "delivered_bytes")
        )
        return {
            "step": step,
            "service": service,
            "start_s": float((step - 1) * STEP_S),
            "end_s": float(step * STEP_S),
            "offered_bps": self.recipe.rates_bps[step - 1] if service == STRESSED else OTHERS_BPS,
            "sent_bps": sent,
            "delivered_bps": delivered,
            "loss_ratio": 1 - delivered / sent,
            "jitter_s": own[0]["jitter_s"],
        }

    def vnfs(self, step: int) -> list[dict[str, Any]]:
        rows = []
        for second in range((step - 1) * STEP_S, step * STEP_S):
            load = {STRESSED: self.recipe.rates_bps[step - 1], OTHER: OTHERS_BPS}
            if self.shared and second >= SHARED_FROM_S:
                moved = 0.5 * load[STRESSED]
                load = {STRESSED: load[STRESSED] - moved, OTHER: load[OTHER] + moved}
            for service in (STRESSED, OTHER):
                ratio = min(1.0, load[service] / (1.1 * CAPACITY_BPS)) * self.draw.uniform(0.98, 1.0)
                rows.append(_usage(f"{service}/vdpi", second, step, ratio, load[service]))
                rows.append(_usage(f"{service}/van", second, step, ratio / 4, load[service]))
        return rows

    def hops(self, step: int, flows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = []
        for service in (STRESSED, OTHER):
            own = [row for row in flows if (row["step"], row["service"]) == (step, service)]
            lost: dict[str, int | None] = dict.fromkeys(HOPS)
            if self.recipe.traffic != "tcp":
                missing = sum(row["lost_packets"] for row in own)
                lost = dict.fromkeys(HOPS, 0) | {
                    "vdpi_throttled": max(0, missing),
                    "unattributed": min(0, missing),
                }
            rows += [{"step": step, "service": service, "hop": h, "packets": lost[h]} for h in HOPS]
        return rows

    def decisions(self) -> list[dict[str, Any]]:
        if not self.shared:
            return []
        return [
            {
                "at_s": 9.0,
                "step": 3,
                "action": "share",
                "vnf": f"{STRESSED}/vdpi",
                "target": f"{OTHER}/vdpi",
                "flows": [f"{STRESSED}/1"],
                "share_ratio": 0.5,
                "observed": 0.93,
                "forecast": None,
                "threshold": THRESHOLD,
                "reason": "CPU of service1/vdpi is above its threshold",
                "applied_after_s": SHARED_FROM_S - 9.0,
                "sample_unix_s": 1767225609.0,
            }
        ]


def _flow(service: str, second: int, step: int, sent: int, delivered: int, arrived: int) -> dict[str, Any]:
    return {
        "camera": f"{service}/1",
        "service": service,
        "second": second,
        "step": step,
        "sent_bytes": sent * DATAGRAM_BYTES,
        "sent_packets": sent,
        "delivered_bytes": arrived * DATAGRAM_BYTES,
        "delivered_packets": arrived,
        "lost_packets": sent - delivered,
        "jitter_s": 0.0001,
    }


def _udp(row: dict[str, Any]) -> dict[str, Any]:
    """The receiver finds the lost ones missing by number."""
    return row


def _tcp(row: dict[str, Any]) -> dict[str, Any]:
    """iperf3 counts bytes alone."""
    return {**row, **dict.fromkeys(("sent_packets", "delivered_packets", "lost_packets", "jitter_s"))}


def _pcap(row: dict[str, Any]) -> dict[str, Any]:
    """A replay numbers nothing: lost is sent less arrived, below 0 where the clocks differ."""
    return {**row, "lost_packets": row["sent_packets"] - row["delivered_packets"], "jitter_s": None}


_KINDS = {"udp": _udp, "tcp": _tcp, "pcap": _pcap}


def _usage(vnf: str, second: int, step: int, ratio: float, load_bps: float) -> dict[str, Any]:
    return {
        "at_s": float(second),
        "step": step,
        "vnf": vnf,
        "cpu_ratio": ratio,
        "slice_cpu_ratio": ratio * QUOTA_CORES / SLICE_CORES,
        "ram_ratio": 0.1,
        "storage_ratio": 0.0,
        "network_ratio": load_bps / 1e9,
        "throttled_ratio": max(0.0, ratio - 0.9),
        "processed_bps": load_bps,
    }


def _vnf(service: str, function: str) -> dict[str, Any]:
    return {
        "service": service,
        "function": function,
        "vnf_class": "T1",
        "domain": "edge",
        "cpu_quota_cores": QUOTA_CORES if function == "vdpi" else SLICE_CORES - QUOTA_CORES,
        "slice_cpu_cores": SLICE_CORES,
        "cpu_threshold": THRESHOLD,
        "share_limit": 0.6,
        "dpi": "payload" if function == "vdpi" else None,
    }


_HOST = {
    "kernel": "0.0-synthetic",
    "cpu_model": "Synthetic CPU",
    "cores": 2,
    "governor": None,
    "cgroup": "v1",
    "datapath": "netdev",
    "openvswitch": "3.1.0",
    "iperf3": "3.12",
    "prometheus": "2.42.0",
    "offloads": {"gro": "off", "tx": "off"},
    "sysctls": {"net.core.rmem_default": 4194304},
}

if __name__ == "__main__":
    print(make_run(Path(sys.argv[1])))
