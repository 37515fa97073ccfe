"""Limits of the three types from the VMs of a data set (§5.1 of the predictive-slicing paper).

CPU and RAM are clustered separately. A limit is the largest value of a cluster, so that a VM is on the same
side of it by the rule of Table 3 as by k-means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from testbedctl.classes.clusters import Cluster, clusters, distortions, elbow
from testbedctl.classes.outliers import ordinary_range, outside
from testbedctl.classes.proportions import keep_proportions, proportions_of
from testbedctl.classes.provisioned import Provisioned
from testbedctl.errors import Inconclusive, UsageError
from testbedctl.spec.assignment import CLASSES
from testbedctl.spec.classes import Classes, Fitted, Limits, Proportions, Range, Ranges, class_within
from testbedctl.spec.testbed import VnfClass

if TYPE_CHECKING:
    import numpy as np

FEATURES = ("vcpus", "ram_gib")
TYPES = len(CLASSES)
_Grouping = tuple[tuple[float, ...], int | None, tuple[Cluster, ...]]
"""The curve, its elbow and the clusters."""


@dataclass(frozen=True)
class FeatureFit:
    """One feature: its curve over k = 1 …, the elbow, the clusters, and what was left out as an outlier.

    Where outliers leave too few sizes for clusters, the curve and the clusters are empty.
    """

    distortion: tuple[float, ...]
    elbow: int | None
    clusters: tuple[Cluster, ...]
    ordinary: Range
    outliers: Mapping[str, float]

    @property
    def limits(self) -> list[float]:
        """The largest value of every cluster but the last."""
        return [cluster.high for cluster in self.clusters[:-1]]


@dataclass(frozen=True)
class Fit:
    """What was found. ``limits`` are those that hold: the previous ones if new data brought outliers.

    ``fitted_limits`` are those of the clusters, if there are any; ``limits_from`` and ``ordinary_from`` are
    ``fit`` or ``previous``.
    ``kept`` are the names that keep the previous proportions; without previous classes, all of them.
    """

    data: Provisioned
    k: int
    seed: int
    features: Mapping[str, FeatureFit]
    fitted_limits: Limits | None
    limits: Limits | None
    limits_from: str
    ordinary_from: str
    by_class: Mapping[VnfClass, tuple[str, ...]]
    proportions: Proportions | None
    kept: Mapping[VnfClass, list[str]]


def fit(
    data: Provisioned,
    *,
    k: int = TYPES,
    most: int = 10,
    seed: int = 0,
    previous: Classes | None = None,
    keep_outliers: bool = False,
) -> Fit:
    """Cluster the VMs of ``data``; ``most`` is the largest k of the curve.

    ``previous``: classes that were fitted before; what is extraordinary for their data is an outlier. Without
    them, what is so for ``data``. If there are outliers, the previous limits hold, whether or not the other
    VMs make clusters. Limits and labels need ``k`` = 3.

    Raises ``Inconclusive`` for too few VMs or sizes, ``UsageError`` for ``previous`` that were never fitted.
    """
    before = _fitted_before(previous)
    if not data.vms:
        raise Inconclusive(
            f"no VM of {data.dataset} has cores and memory", hint="import a trace with provisioned resources"
        )
    ordinary = before.ordinary if before else _ordinary(data)
    left_out = {
        name: outside(data.feature(name), getattr(ordinary, name)) & (not keep_outliers) for name in FEATURES
    }
    retained = previous.limits if previous and any(mask.any() for mask in left_out.values()) else None
    group = _grouped_if_possible if retained else _grouped
    features = {
        name: _feature(
            data, name, ordinary, left_out[name], group(data.feature(name)[~left_out[name]], k, most, seed)
        )
        for name in FEATURES
    }
    fitted = _limits(features) if k == TYPES else None
    limits = (retained or fitted) if k == TYPES else None
    by_class = _labelled(data, limits) if limits else {}
    proportions = before.proportions if before else proportions_of(by_class) if by_class else None
    return Fit(
        data=data,
        k=k,
        seed=seed,
        features=features,
        fitted_limits=fitted,
        limits=limits,
        limits_from="previous" if retained else "fit",
        ordinary_from="previous" if before else "fit",
        by_class=by_class,
        proportions=proportions,
        kept=keep_proportions(by_class, proportions, seed) if proportions and by_class else {},
    )


def new_classes(found: Fit, base: Classes) -> Classes:
    """A classes file from a fit: its limits, the typical VM of each type, and everything else from ``base``.

    Raises ``UsageError`` for a fit of another number of clusters than there are types, ``Inconclusive`` for
    VMs so large or small that no VNF could be like them.
    """
    if found.limits is None or found.proportions is None:
        raise UsageError(
            f"{found.k} clusters make no three types", hint="leave --k at 3, or leave out --output"
        )
    vms = f"{len(found.data.vms)} VMs of {found.data.dataset}"
    made: dict[str, object] = {"limits": found.limits}
    if found.limits_from == "fit":
        made["description"] = f"Limits fitted to {vms}"
        made["types"] = {each: _typical(found, found.limits, each, base) for each in CLASSES}
    else:
        made["description"] = f"Limits of before, as there are outliers among {vms}"
    with _unfit_told("leave out --output"):
        made["fitted"] = _record(found, found.proportions)
        return Classes.model_validate({**dict(base), **made})


def _record(found: Fit, proportions: Proportions) -> Fitted:
    return Fitted(
        dataset=found.data.dataset,
        sha256=found.data.sha256,
        vms=len(found.data.vms),
        seed=found.seed,
        limits_from=found.limits_from,
        ordinary=Ranges(**{feature: found.features[feature].ordinary for feature in FEATURES}),
        proportions=proportions,
    )


@contextmanager
def _unfit_told(hint: str) -> Iterator[None]:
    """Sizes that no classes file can hold, in a line."""
    try:
        yield
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise Inconclusive(f"VMs of these sizes make no classes: {wrong}", hint=hint) from None


def _fitted_before(previous: Classes | None) -> Fitted | None:
    if previous is not None and previous.fitted is None:
        raise UsageError(
            f"the classes {previous.name!r} were written by hand: they do not say which data are ordinary",
            hint="--previous takes a file that `testbedctl classify fit --output` wrote",
        )
    return previous.fitted if previous else None


def _ordinary(data: Provisioned) -> Ranges:
    return Ranges(**{name: ordinary_range(data.feature(name)) for name in FEATURES})


def _grouped(values: np.ndarray, k: int, most: int, seed: int) -> _Grouping:
    groups = clusters(values, k, seed)
    curve = distortions(values, most, seed)
    return curve, elbow(curve), groups


def _grouped_if_possible(values: np.ndarray, k: int, most: int, seed: int) -> _Grouping:
    """Nothing for too few sizes: previous limits hold without."""
    try:
        return _grouped(values, k, most, seed)
    except Inconclusive:
        return (), None, ()


def _feature(
    data: Provisioned, name: str, ordinary: Ranges, left_out: np.ndarray, grouping: _Grouping
) -> FeatureFit:
    values = data.feature(name)
    outliers = {vm: float(v) for vm, v, out in zip(data.vms, values, left_out, strict=True) if out}
    return FeatureFit(*grouping, ordinary=getattr(ordinary, name), outliers=outliers)


def _limits(features: Mapping[str, FeatureFit]) -> Limits | None:
    """The limits between the clusters, if both features have some."""
    if not all(feature.clusters for feature in features.values()):
        return None
    with _unfit_told("are the trace's units right? the largest are 65536 cores and 1048576 GiB"):
        return Limits(**{name: feature.limits for name, feature in features.items()})


def _labelled(data: Provisioned, limits: Limits) -> dict[VnfClass, tuple[str, ...]]:
    labels = [class_within(limits, cpu, ram) for cpu, ram in zip(data.vcpus, data.ram_gib, strict=True)]
    return {
        each: tuple(vm for vm, label in zip(data.vms, labels, strict=True) if label == each)
        for each in CLASSES
    }


def _typical(found: Fit, limits: Limits, each: VnfClass, base: Classes) -> dict[str, object]:
    """A type with the resources of the VM nearest to the middle of its members, or made from the limits.

    Outliers are no members.
    """
    import numpy as np

    kept = {"bandwidth_mbps": base.type_of(each).bandwidth_mbps, "domains": base.type_of(each).domains}
    names = set(found.by_class[each]).difference(*(feature.outliers for feature in found.features.values()))
    member = np.array([vm in names for vm in found.data.vms])
    if not member.any():
        limit, factor = {"T1": (0, 1), "T2": (1, 1), "T3": (1, 2)}[each]
        return {"vcpus": factor * limits.vcpus[limit], "ram_gib": factor * limits.ram_gib[limit], **kept}
    sizes = np.log2(np.column_stack([found.data.vcpus[member], found.data.ram_gib[member]]))
    nearest = int(np.abs(sizes - np.median(sizes, axis=0)).sum(axis=1).argmin())
    vcpus, ram_gib = found.data.vcpus[member][nearest], found.data.ram_gib[member][nearest]
    return {"vcpus": float(vcpus), "ram_gib": float(ram_gib), **kept}
