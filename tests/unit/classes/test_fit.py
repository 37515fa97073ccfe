"""Limits, types and proportions from the VMs of a data set."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from unit.classes.conftest import Sizes, provisioned

from testbedctl.classes.figure import elbow_drawing
from testbedctl.classes.fit import Fit, fit, new_classes
from testbedctl.classes.provisioned import KIB_PER_GIB, Provisioned
from testbedctl.classes.summary import summary
from testbedctl.classes.terminal import shown
from testbedctl.classes.writing import classes_text, write_classes
from testbedctl.errors import Inconclusive, UsageError
from testbedctl.render.drawing import image
from testbedctl.spec.classes import Classes, class_within
from testbedctl.spec.loader import load_classes

SHIPPED = load_classes()


@pytest.fixture
def first(cloud: Sizes) -> Classes:
    """The classes of a first fit."""
    return new_classes(fit(provisioned(cloud)), SHIPPED)


def counts(found: Fit) -> list[int]:
    return [len(names) for names in found.by_class.values()]


def test_limits_are_the_largest_of_a_cluster_and_label_as_k_means_did(cloud: Sizes) -> None:
    found = fit(provisioned(cloud))
    assert found.limits is not None
    assert (found.limits.vcpus, found.limits.ram_gib) == ([2, 8], [4, 16])
    assert counts(found) == [30, 20, 10]
    for name in ("vcpus", "ram_gib"):
        feature = found.features[name]
        assert [cluster.vms for cluster in feature.clusters] == [30, 20, 10]
        assert feature.outliers == {}
        assert feature.elbow == 3


def test_the_same_seed_gives_the_same_fit(cloud: Sizes) -> None:
    assert summary(fit(provisioned(cloud), seed=3)) == summary(fit(provisioned(cloud), seed=3))


def test_both_clusterings_together_make_the_types(cloud: Sizes) -> None:
    """Table 3: small in both is T1, large in both T3; small in one and large in the other is T2."""
    mixed = [(1, 31)] * 3 + [(15, 1)] * 3 + [(7, 1)] * 2 + [(7, 31)] * 2
    found = fit(provisioned([*cloud, *mixed]))
    assert counts(found) == [30, 30, 10]
    assert set(found.by_class["T2"]) == {f"vm{n}" for n in (*range(30, 50), *range(60, 70))}


def test_a_giant_does_not_move_the_limits(cloud: Sizes) -> None:
    """The largest of the 500 Bitbrains VMs has 511 GiB, the next 96: alone it would be a cluster."""
    with_giant = provisioned([*cloud, (16, 100_000)])
    kept = fit(with_giant, keep_outliers=True)
    assert kept.limits is not None and kept.limits.ram_gib == [4, 31]
    left_out = fit(with_giant)
    assert left_out.limits == fit(provisioned(cloud)).limits
    assert left_out.features["ram_gib"].outliers == {"vm60": 100_000}
    assert left_out.features["vcpus"].outliers == {}
    assert left_out.limits_from == "fit", "there are no previous limits to keep"
    assert "vm60" in left_out.by_class["T3"], "it is no measure, but it is of a type"
    assert new_classes(left_out, SHIPPED).types.T3.ram_gib < 100


def test_new_data_without_outliers_move_the_limits(cloud: Sizes, first: Classes) -> None:
    grown = [(2 * vcpus, ram_gib) for vcpus, ram_gib in cloud]
    found = fit(provisioned(grown), previous=first)
    assert found.limits_from == "fit"
    assert found.limits is not None and found.limits.vcpus == [4, 16]


def test_where_new_data_bring_outliers_the_previous_limits_stay(cloud: Sizes, first: Classes) -> None:
    grown = [(2 * vcpus, ram_gib) for vcpus, ram_gib in cloud]
    found = fit(provisioned([*grown, (4000, 4)]), previous=first)
    assert found.features["vcpus"].outliers == {"vm60": 4000}
    assert found.limits_from == "previous"
    assert found.limits == first.limits
    assert found.fitted_limits is not None and found.fitted_limits.vcpus == [4, 16], "told beside them"
    assert new_classes(found, first).types == first.types


def test_outliers_are_outliers_to_the_previous_data(cloud: Sizes, first: Classes) -> None:
    """A new cloud of nothing but giants has none by itself, and all of them compared with before."""
    giants = provisioned([(1000 * vcpus, 1000 * ram_gib) for vcpus, ram_gib in cloud])
    assert fit(giants).features["vcpus"].outliers == {}
    found = fit(giants, previous=first)
    assert (found.limits_from, found.limits, found.fitted_limits) == ("previous", first.limits, None)
    assert counts(found) == [0, 0, 60]


@pytest.mark.parametrize("rest", [[], [(1, 2)], [(1, 2), (8, 16)] * 9], ids=["none", "one", "two-sizes"])
def test_previous_limits_hold_also_where_the_rest_makes_no_clusters(rest: Sizes, first: Classes) -> None:
    """§5.1: where outliers are detected, "the previous threshold values are retained"."""
    found = fit(provisioned([*rest, (4000, 100_000)]), previous=first)
    assert (found.limits, found.fitted_limits) == (first.limits, None)
    assert [feature.elbow for feature in found.features.values()] == [None, None]
    assert f"vm{len(rest)}" in found.by_class["T3"]
    made = new_classes(found, first)
    assert (made.limits, made.types) == (first.limits, first.types)
    assert made.fitted is not None and made.fitted.limits_from == "previous"
    told = "\n".join(part for part in shown(summary(found)) if isinstance(part, str))
    assert "too few sizes are left" in told and "no limits were fitted: the previous ones hold" in told
    assert image(elbow_drawing(found), "svg")


def test_a_first_fit_of_few_vms_is_warned_of(cloud: Sizes, first: Classes) -> None:
    assert "among 60 VMs: it takes about 100" in str(summary(fit(provisioned(cloud)))["warnings"])
    assert summary(fit(provisioned([*cloud, *cloud])))["warnings"] == []
    assert summary(fit(provisioned(cloud), previous=first))["warnings"] == []


def test_limits_that_no_classes_file_has_are_told_in_a_line(cloud: Sizes) -> None:
    huge = [(10_000 * vcpus, ram_gib) for vcpus, ram_gib in cloud]
    with pytest.raises(Inconclusive, match=r"make no classes: vcpus\.1"):
        fit(provisioned(huge))


def test_new_data_keep_the_proportions_of_before(cloud: Sizes, first: Classes) -> None:
    found = fit(provisioned([*cloud, *cloud[:30]]), previous=first)
    assert counts(found) == [60, 20, 10]
    assert [len(names) for names in found.kept.values()] == [31, 20, 10]  # 30.5 of 61
    assert set(found.kept["T1"]) < set(found.by_class["T1"])
    again = new_classes(found, first)
    assert again.fitted is not None and first.fitted is not None
    assert again.fitted.proportions == first.fitted.proportions


def test_classes_written_by_hand_are_no_previous_ones(cloud: Sizes) -> None:
    with pytest.raises(UsageError, match="written by hand"):
        fit(provisioned(cloud), previous=SHIPPED)


def test_another_number_of_clusters_makes_no_types(cloud: Sizes) -> None:
    found = fit(provisioned(cloud), k=2)
    assert (found.limits, found.by_class) == (None, {})
    assert [len(feature.clusters) for feature in found.features.values()] == [2, 2]
    assert [claim["quantity"] for claim in summary(found)["claims"]] == ["elbow_cpu", "elbow_ram"]
    with pytest.raises(UsageError, match="2 clusters make no three types"):
        new_classes(found, SHIPPED)


@pytest.mark.parametrize("sizes", [[], [(1, 1)], [(1, 1), (2, 2)] * 9], ids=["none", "one", "two-sizes"])
def test_too_few_vms_are_said_to_be_too_few(sizes: Sizes) -> None:
    with pytest.raises(Inconclusive):
        fit(provisioned(sizes))


def test_what_is_written_is_read_back_as_it_was(cloud: Sizes, first: Classes, tmp_path: Path) -> None:
    write_classes(first, tmp_path / "classes.yaml")
    assert load_classes(tmp_path / "classes.yaml") == first
    assert first.fitted is not None and first.fitted.vms == len(cloud)
    assert classes_text(first) == (tmp_path / "classes.yaml").read_text()


def test_the_resources_of_a_type_are_those_of_a_vm_of_it(cloud: Sizes, first: Classes) -> None:
    for each in ("T1", "T2", "T3"):
        given = getattr(first.types, each)
        assert (given.vcpus, given.ram_gib) in cloud
        assert class_within(first.limits, given.vcpus, given.ram_gib) == each


def test_a_type_without_members_has_resources_all_the_same() -> None:
    sizes = [(1, 1), (2, 2)] * 9 + [(7, 1), (1, 15)] * 4 + [(14, 2), (15, 3), (2, 30), (1, 31)] * 2
    found = fit(provisioned(sizes))
    assert counts(found)[2] == 0
    made = new_classes(found, SHIPPED)
    assert class_within(made.limits, made.types.T3.vcpus, made.types.T3.ram_gib) == "T3"
    with_giant = fit(provisioned([*sizes, (15, 100_000)]))
    assert with_giant.by_class["T3"] == (f"vm{len(sizes)}",)
    assert new_classes(with_giant, SHIPPED).types.T3 == made.types.T3, "an outlier is no measure"


def test_machines_that_no_vnf_could_be_like_are_told_in_a_line() -> None:
    sizes = [(n % 3 + 1, 1) for n in range(9)] + [(700, 15)] * 9 + [(1500, 30), (1600, 31)] * 9
    with pytest.raises(Inconclusive, match=r"make no classes: types\.T.\.vcpus"):
        new_classes(fit(provisioned(sizes)), SHIPPED)


def bitbrains() -> Path:
    """The month of 500 VMs, which lies beside the checkout."""
    shared = os.environ.get("TESTBEDCTL_DATA") or Path(__file__).parents[4] / "shared" / "data"
    return Path(shared) / "gwa-t-12-bitbrains" / "rnd-2013-8.zip"


def every_twentieth(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[float, float]]:
    """Cores and GiB in every twentieth row of a VM's file; sizes change seldom, and a test shall be quick."""
    for line in archive.read(name).splitlines()[1::20]:
        cells = line.split(b";", 6)
        yield float(cells[1]), float(cells[5]) / KIB_PER_GIB


@pytest.mark.skipif(
    not bitbrains().is_file(), reason="shared data not there: gwa-t-12-bitbrains/rnd-2013-8.zip"
)
def test_the_bitbrains_month() -> None:
    """Claim FI-10 on the VMs that are at hand: both elbows at 3, the limits of T1 as the paper has them."""
    with zipfile.ZipFile(bitbrains()) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".csv"))
        sizes = [np.max(list(every_twentieth(archive, name)), axis=0) for name in names]
    vcpus, ram_gib = np.array(sizes).T
    found = fit(Provisioned("bitbrains", "", tuple(names), vcpus, ram_gib))
    met = {claim["quantity"]: claim["met"] for claim in summary(found)["claims"]}
    assert met == {
        "elbow_cpu": True, "elbow_ram": True, "t1_vcpus": True, "t1_ram_gib": True,
        "t3_vcpus": False, "t3_ram_gib": False,
    }  # fmt: skip
    assert found.limits is not None and found.limits.vcpus == [4, 16]
    assert found.features["ram_gib"].outliers == {"2013-8/27.csv": pytest.approx(511.459, abs=0.001)}
