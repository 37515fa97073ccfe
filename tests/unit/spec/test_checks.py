"""References, counts and uniqueness across a testbed, and whether a profile fits one."""

from __future__ import annotations

from typing import Any

import pytest

from testbedctl.errors import UsageError
from testbedctl.spec.checks import check_profile_fits, faults_of
from testbedctl.spec.loader import load_profile, load_testbed


def texts(data: dict[str, Any]) -> list[str]:
    return [fault.text for fault in faults_of({"name": "lab", "hosts": {"h": {}}, **data})]


@pytest.mark.parametrize("name", ["slice-sharing", "four-vdpis", "line"])
def test_a_shipped_testbed_has_no_faults(name: str) -> None:
    assert list(faults_of(load_testbed(name).model_dump(by_alias=True))) == []


def test_the_default_domains_count_where_none_are_given() -> None:
    vnf = {"type": "command", "flavour": "f", "domain": "edge"}
    found = texts({"flavours": {"f": {}}, "services": {"s": {"vni": 1, "vnfs": {"x": vnf}}}})
    assert not any("domain" in text for text in found)


def test_a_ring_of_switches_is_refused_and_a_tree_is_not() -> None:
    switches: dict[str, Any] = {"s1": {}, "s2": {}, "s3": {}}
    tree = [{"ends": ["s1", "s2"]}, {"ends": ["s2", "s3"]}, {"ends": ["h", "s1"]}]
    assert texts({"switches": switches, "links": tree}) == []
    ring = [*tree, {"ends": ["s3", "s1"]}]
    assert texts({"switches": switches, "links": ring}) == [
        "closes a loop of switches; learning switches would flood it without end"
    ]


def test_a_host_with_two_links_makes_no_loop() -> None:
    switches: dict[str, Any] = {"s1": {}, "s2": {}}
    links = [{"ends": ["s1", "s2"]}, {"ends": ["h", "s1"]}, {"ends": ["h", "s2"]}]
    assert texts({"switches": switches, "links": links}) == []


@pytest.mark.parametrize("wrong", [None, 3, "x", [], [3], {"a": 3}, {"a": None}, {"a": [1]}])
@pytest.mark.parametrize("key", ["services", "flavours", "hosts", "switches", "links", "domains"])
def test_wrong_shapes_are_passed_over(key: str, wrong: object) -> None:
    texts({"services": {"s": {"vni": 1, "vnfs": {"v": {"type": "van"}}}}, key: wrong})


def test_a_profile_fits_a_testbed_with_its_service() -> None:
    testbed = load_testbed("four-vdpis")
    profile = load_profile("quick")
    check_profile_fits(profile, testbed)
    check_profile_fits(profile.model_copy(update={"service": "market"}), testbed)
    with pytest.raises(UsageError, match="did you mean 'market'") as caught:
        check_profile_fits(profile.model_copy(update={"service": "markt"}), testbed)
    assert caught.value.hint == "services of this testbed: station, market, school, harbour"


def test_a_profile_fits_no_testbed_without_services() -> None:
    with pytest.raises(UsageError, match="has no services"):
        check_profile_fits(load_profile("quick"), load_testbed("line"))
