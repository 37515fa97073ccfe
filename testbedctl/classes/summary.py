"""A fit as one document: curves, clusters, limits, types, outliers, and the paper's claims beside them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from testbedctl.classes.clusters import elbow
from testbedctl.classes.fit import FeatureFit, Fit
from testbedctl.errors import Inconclusive
from testbedctl.spec.claims import load_claims
from testbedctl.units import count

CLAIM = "FI-10"
ENOUGH_VMS = 100
"""With fewer, the 99th percentile is near the largest VM, and hardly any VM lies far beyond it."""


def summary(found: Fit) -> dict[str, Any]:
    """What ``classify fit --json`` prints."""
    return {
        "schema": "testbedctl.classes-fit/1",
        "dataset": {"name": found.data.dataset, "sha256": found.data.sha256, "vms": len(found.data.vms)},
        "k": found.k,
        "seed": found.seed,
        "features": {name: _feature(feature) for name, feature in found.features.items()},
        "limits": found.limits.model_dump() if found.limits else None,
        "limits_from": found.limits_from,
        "fitted_limits": found.fitted_limits.model_dump() if found.fitted_limits else None,
        "types": _types(found),
        "vms": {
            "cores_from_mhz": list(found.data.from_mhz),
            "without_cpu_or_ram": list(found.data.without),
        },
        "claims": _claims(found),
        "warnings": _warnings(found),
    }


def _feature(feature: FeatureFit) -> dict[str, Any]:
    return {
        "distortion": list(feature.distortion),
        "elbow": feature.elbow,
        "elbow_without_k_1": _elbow_from_two(feature.distortion),
        "clusters": [asdict(cluster) for cluster in feature.clusters],
        "ordinary": feature.ordinary.model_dump(),
        "outliers": dict(feature.outliers),
    }


def _elbow_from_two(curve: tuple[float, ...]) -> int | None:
    """Where the elbow is if the curve begins at k = 2: an elbow depends on what is drawn."""
    try:
        return elbow(curve[1:], first_k=2)
    except Inconclusive:
        return None


def _types(found: Fit) -> list[dict[str, Any]]:
    everything = len(found.data.vms)
    return [
        {
            "class": each,
            "vms": len(names),
            "proportion": len(names) / everything,
            "proportion_kept": getattr(found.proportions, each),
            "kept": found.kept[each],
        }
        for each, names in found.by_class.items()
    ]


def _claims(found: Fit) -> list[dict[str, Any]]:
    """The numbers of the paper, and what came out here; ``met``: within the tolerance that was set before."""
    measured: dict[str, float | None] = {
        "elbow_cpu": found.features["vcpus"].elbow,
        "elbow_ram": found.features["ram_gib"].elbow,
    }
    if found.fitted_limits:
        cpu, ram = found.fitted_limits.vcpus, found.fitted_limits.ram_gib
        measured |= {"t1_vcpus": cpu[0], "t3_vcpus": cpu[1], "t1_ram_gib": ram[0], "t3_ram_gib": ram[1]}
    return [
        {
            "id": claim.id,
            "quantity": claim.quantity,
            "place": claim.place,
            "paper": claim.value,
            "measured": value,
            "met": claim.met_by(value),
        }
        for claim in load_claims()
        if claim.id == CLAIM and (value := measured.get(claim.quantity)) is not None
    ]


def _warnings(found: Fit) -> list[str]:
    vms = len(found.data.vms)
    if found.ordinary_from == "fit" and vms < ENOUGH_VMS:
        return [f"hardly any outlier can be found among {count(vms, 'VM')}: it takes about {ENOUGH_VMS}"]
    return []
