"""One VNF: both scenarios of the paper's §5.1, alone and beside the VNFs of a testbed."""

from __future__ import annotations

import pytest

from testbedctl.errors import UsageError
from testbedctl.spec.assignment import lack
from testbedctl.spec.loader import load_classes, load_testbed
from testbedctl.spec.placement import by_resources, by_wishes
from testbedctl.spec.testbed import Capacity, Testbed, Wishes

CLASSES = load_classes()


def with_room(**vcpus: float) -> Testbed:
    """The default testbed, whose domains have so many cores in all."""
    capacity = {domain: Capacity(vcpus=cores) for domain, cores in vcpus.items()}
    return load_testbed("slice-sharing").model_copy(update={"capacity": capacity})


def test_resources_to_type_to_domain() -> None:
    placed = [by_resources(CLASSES, *size, None) for size in ((4, 8), (8, 16), (16, 64))]
    assert [(each.vnf_class, each.domain) for each in placed] == [
        ("T1", "edge"), ("T2", "central-office"), ("T3", "core"),
    ]  # fmt: skip
    assert (placed[1].vcpus, placed[1].ram_gib) == (8, 16)


def test_wishes_to_type_to_resources_to_domain() -> None:
    placed = by_wishes(CLASSES, Wishes(slice="eMBB", bandwidth_mbps=600, latency_ms=20), None)
    assert (placed.vnf_class, placed.vcpus, placed.ram_gib, placed.domain) == ("T2", 8, 16, "central-office")
    assert len(placed.reasons) == 3


def test_the_slice_type_fills_in_what_a_wish_leaves_open() -> None:
    eager, patient = (by_wishes(CLASSES, Wishes(slice=name), None) for name in ("URLLC", "eMBB"))
    assert (eager.vnf_class, eager.domain) == ("T1", "edge")
    assert patient.vnf_class == "T2"
    slow = CLASSES.delays_ms["central-office"] - 1
    assert by_wishes(CLASSES, Wishes(slice="eMBB", latency_ms=slow), None).domain == "edge"


def test_a_domain_without_room_is_passed_over() -> None:
    """The edge of the default testbed has 2 × (1.0 + 0.35) cores allotted."""
    assert by_resources(CLASSES, 1, 1, with_room(edge=3.7)).domain == "edge"
    passed = by_resources(CLASSES, 1, 1, with_room(edge=3.6))
    assert passed.domain == "core" and "edge has no room left" in passed.reasons[-1]
    with pytest.raises(UsageError, match="core has no room left"):
        by_resources(CLASSES, 1, 1, with_room(edge=3.6, core=5.9))


def test_a_type_carries_what_it_says_and_no_more() -> None:
    most = CLASSES.types.T1.bandwidth_mbps
    at_it, above = (
        by_wishes(CLASSES, Wishes(slice="mMTC", bandwidth_mbps=rate), None) for rate in (most, most + 1)
    )
    assert (at_it.vnf_class, above.vnf_class) == ("T1", "T2")


def test_three_tenths_fit_into_three_tenths() -> None:
    assert 3 * 0.1 > 0.3
    assert lack(Capacity(vcpus=0.3), 3 * 0.1, 0) == ""
    assert lack(Capacity(vcpus=0.3), 0.301, 0) == "0.301 vCPU are allotted, and it has 0.3"


def test_what_no_type_carries_is_refused() -> None:
    with pytest.raises(UsageError, match="no type carries 20000 Mb/s"):
        by_wishes(CLASSES, Wishes(slice="eMBB", bandwidth_mbps=20_000), None)
