"""k-means on one feature, its distortion over k, and the elbow of that curve (§5.1, Figure 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbedctl.errors import Inconclusive
from testbedctl.units import count

if TYPE_CHECKING:
    import numpy as np
    from sklearn.cluster import KMeans

RESTARTS = 10
"""k-means is begun so often from other centres, and the least distortion is kept."""


@dataclass(frozen=True)
class Cluster:
    """The least and the largest value of a cluster, and how many VMs it has."""

    low: float
    high: float
    vms: int


def clusters(values: np.ndarray, k: int, seed: int) -> tuple[Cluster, ...]:
    """``k`` clusters of ``values`` (float64[vm]), by growing values.

    Raises ``Inconclusive`` if there are fewer than ``k`` different values.
    """
    import numpy as np

    _require(values, k)
    labels = _fitted(values, k, seed).labels_
    members = sorted((values[labels == label] for label in range(k)), key=np.min)
    return tuple(Cluster(float(each.min()), float(each.max()), len(each)) for each in members)


def distortions(values: np.ndarray, most: int, seed: int) -> tuple[float, ...]:
    """Sum of squared distances to the nearest centre, for k = 1 … ``most`` or as many sizes as there are."""
    import numpy as np

    ks = range(1, min(most, len(np.unique(values))) + 1)
    return tuple(float(_fitted(values, k, seed).inertia_) for k in ks)


def elbow(curve: tuple[float, ...], first_k: int = 1) -> int:
    """The k at which a falling curve over k = ``first_k`` … bends most: farthest below its chord.

    Both axes are scaled to 0 … 1 first (the idea of Satopää et al., Kneedle, 2011). Raises ``Inconclusive``
    for fewer than three points or a curve that does not fall.
    """
    if len(curve) < 3 or curve[0] <= curve[-1]:
        raise Inconclusive(
            f"no elbow can be seen in {len(curve)} values of k",
            hint="VMs of more different sizes, or a larger --max-k, are needed",
        )
    below = [
        1 - step / (len(curve) - 1) - (value - curve[-1]) / (curve[0] - curve[-1])
        for step, value in enumerate(curve)
    ]
    return first_k + below.index(max(below))


def _require(values: np.ndarray, k: int) -> None:
    import numpy as np

    different = len(np.unique(values))
    if different < k:
        raise Inconclusive(
            f"{count(len(values), 'VM')} of {count(different, 'different size')} cannot make {k} clusters",
            hint="classes need many VMs: the Bitbrains month has 500",
        )


def _fitted(values: np.ndarray, k: int, seed: int) -> KMeans:
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=RESTARTS, random_state=seed).fit(values.reshape(-1, 1))
