"""k-means on one feature, its distortion, and the elbow."""

from __future__ import annotations

import numpy as np
import pytest

from testbedctl.classes.clusters import Cluster, clusters, distortions, elbow
from testbedctl.errors import Inconclusive

VALUES = np.array([1, 1, 2, 2, 10, 11, 12, 50, 52], dtype=np.float64)


def test_clusters_are_in_the_order_of_their_values() -> None:
    assert clusters(VALUES, 3, seed=0) == (Cluster(1, 2, 4), Cluster(10, 12, 3), Cluster(50, 52, 2))
    assert clusters(VALUES[::-1], 3, seed=5) == clusters(VALUES, 3, seed=0)


def test_the_distortion_is_the_sum_of_squared_distances() -> None:
    curve = distortions(VALUES, 10, seed=0)
    assert curve[0] == pytest.approx(((VALUES - VALUES.mean()) ** 2).sum())
    assert curve[2] == pytest.approx(1 + 2 + 2)
    assert len(curve) == 7, "there are seven different sizes, so an eighth cluster would be empty"
    assert list(curve) == sorted(curve, reverse=True)
    assert curve[-1] == pytest.approx(0)
    assert len(distortions(VALUES, 4, seed=0)) == 4


def test_the_elbow_is_farthest_below_the_chord() -> None:
    assert elbow((100, 60, 20, 15, 10)) == 3
    assert elbow((100, 10, 9, 8, 7)) == 2
    assert elbow((60, 20, 15, 10), first_k=2) == 3
    assert elbow(distortions(VALUES, 10, seed=0)) in (2, 3)


def test_what_has_no_elbow_is_said_to_have_none() -> None:
    for curve in ((), (5.0, 1.0), (0.0, 0.0, 0.0)):
        with pytest.raises(Inconclusive, match="no elbow"):
            elbow(curve)


def test_too_few_sizes_make_no_clusters() -> None:
    with pytest.raises(Inconclusive, match="4 VMs of 2 different sizes cannot make 3 clusters"):
        clusters(np.array([1.0, 2.0, 2.0, 1.0]), 3, seed=0)
