"""What a testbed leaves out: flavours from wishes, classes from flavours, domains from classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile
from testbedctl.spec.loader import load_resolution, load_testbed
from testbedctl.spec.resolution import Resolution, resolve
from testbedctl.spec.testbed import WrittenTestbed

HEAD = "name: lab\n"
FLAVOURS = (
    "flavours: {small: {vcpus: 0.5}, middle: {vcpus: 6, ram_mib: 4096}, big: {vcpus: 12, ram_mib: 32768}}\n"
)
THREE = "domains: [edge, central-office, core]\n"


def lab(folder: Path, *vnfs: str, head: str = "") -> Path:
    """A file with one service of these VNFs, each `name: {…}`."""
    path = folder / "lab.yaml"
    lines = "".join(f"      {vnf}\n" for vnf in vnfs)
    path.write_text(f"{HEAD}{head}{FLAVOURS}services:\n  video:\n    vni: 101\n    vnfs:\n{lines}")
    return path


def access(keys: str) -> tuple[str, str]:
    return f"van: {{type: van, {keys}}}", f"vdpi: {{type: vdpi, {keys}}}"


def where(resolution: Resolution) -> dict[str, tuple[str, str]]:
    """Class and domain by VNF."""
    vnfs = resolution.testbed.services["video"].vnfs
    return {name: (vnf.vnf_class, vnf.domain) for name, vnf in vnfs.items()}


def faults(path: Path) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        load_resolution(path)
    return [place.message for place in caught.value.places]


@pytest.mark.parametrize("name", ["slice-sharing", "four-vdpis"])
def test_every_vnf_of_a_shipped_testbed_is_t1_as_it_was(name: str) -> None:
    testbed = load_testbed(name)
    vnfs = [vnf for service in testbed.services.values() for vnf in service.vnfs.values()]
    assert {vnf.vnf_class for vnf in vnfs} == {"T1"}


def test_the_class_follows_from_the_flavour_and_the_domain_from_the_class(tmp_path: Path) -> None:
    keys = "command: ['true'], flavour:"
    path = lab(tmp_path, *access("flavour: small"), "vsre: {type: vsre, flavour: big}",
               f"cache: {{type: command, {keys} middle}}", head=THREE)  # fmt: skip
    resolution = load_resolution(path)
    assert where(resolution) == {
        "van": ("T1", "edge"), "vdpi": ("T1", "edge"), "vsre": ("T3", "core"),
        "cache": ("T2", "central-office"),
    }  # fmt: skip
    vsre = next(choice for choice in resolution.choices if choice.vnf == "video/vsre")
    assert vsre.reasons == (
        "class T3: 12 vCPU and 32 GiB are above 8 vCPU and 16 GiB",
        "domain core: T3 goes to core",
    )


def test_without_a_central_office_t2_goes_to_the_core(tmp_path: Path) -> None:
    found = load_resolution(lab(tmp_path, *access("flavour: small"), "vsre: {type: vsre, flavour: middle}"))
    assert where(found)["vsre"] == ("T2", "core")
    reason = found.choices[-1].reasons[-1]
    assert reason == "domain core: central-office is not in this testbed; T2 goes to core"


def test_what_is_written_wins(tmp_path: Path) -> None:
    vsre = "vsre: {type: vsre, flavour: big, class: T1, domain: edge}"
    found = load_resolution(lab(tmp_path, *access("flavour: small, class: T2, domain: core"), vsre))
    assert where(found) == {"van": ("T2", "core"), "vdpi": ("T2", "core"), "vsre": ("T1", "edge")}
    assert all(choice.reasons == () for choice in found.choices)


def test_wishes_give_a_type_and_its_resources(tmp_path: Path) -> None:
    wishes = "vsre: {type: vsre, wishes: {slice: eMBB, bandwidth_mbps: 600, latency_ms: 20}}"
    found = load_resolution(lab(tmp_path, *access("wishes: {slice: URLLC}"), wishes, head=THREE))
    assert where(found) == {"van": ("T1", "edge"), "vdpi": ("T1", "edge"), "vsre": ("T2", "central-office")}
    testbed = found.testbed
    vnfs = testbed.services["video"].vnfs
    assert vnfs["van"].flavour == vnfs["vdpi"].flavour == "wish1"
    made = testbed.flavours[vnfs["vsre"].flavour]
    shipped = found.classes.type_of("T2")
    assert (made.vcpus, made.ram_mib) == (shipped.vcpus, shipped.ram_gib * 1024)
    assert made.network_mbps == 600
    assert vnfs["vsre"].wishes is not None and vnfs["vsre"].wishes.bandwidth_mbps == 600


def test_a_wished_delay_keeps_a_vnf_from_far_away(tmp_path: Path) -> None:
    def vsre(latency_ms: int) -> Resolution:
        wishes = (
            f"vsre: {{type: vsre, wishes: {{slice: eMBB, bandwidth_mbps: 5000, latency_ms: {latency_ms}}}}}"
        )
        return load_resolution(lab(tmp_path, *access("flavour: small"), wishes, head=THREE))

    assert [where(vsre(ms))["vsre"] for ms in (50, 49, 9)] == [
        ("T3", "core"), ("T3", "central-office"), ("T3", "edge"),
    ]  # fmt: skip


def test_a_class_that_is_written_must_carry_what_is_wished(tmp_path: Path) -> None:
    def vsre(wishes: str) -> Path:
        line = f"vsre: {{type: vsre, class: T2, wishes: {{slice: eMBB{wishes}}}}}"
        return lab(tmp_path, *access("flavour: small"), line, head=THREE)

    assert where(load_resolution(vsre(", bandwidth_mbps: 1000")))["vsre"][0] == "T2"
    assert where(load_resolution(vsre("")))["vsre"][0] == "T2"
    assert faults(vsre(", bandwidth_mbps: 1001")) == ["T2 carries 1000 Mb/s, not 1001"]


def test_the_vdpis_stand_where_their_van_stands(tmp_path: Path) -> None:
    """§5.2: sharing is within a domain, and every vAN is wired to the vDPIs of the edge."""
    vnfs = (
        "van: {type: van, flavour: small}",
        "vdpi: {type: vdpi, flavour: big}",
        "vsre: {type: vsre, flavour: small}",
    )
    assert where(load_resolution(lab(tmp_path, *vnfs)))["vdpi"] == ("T3", "edge")
    named = ("van: {type: van, flavour: small}", "vdpi: {type: vdpi, flavour: big, domain: core}", vnfs[2])
    found = load_resolution(lab(tmp_path, *named))
    assert where(found)["van"] == ("T1", "core")
    assert found.choices[0].reasons[-1] == "domain core: vdpi stands there"


def test_a_full_domain_is_passed_over(tmp_path: Path) -> None:
    keys = "type: command, command: ['true'], flavour: small"
    vnfs = (*access("flavour: small"), "vsre: {type: vsre, flavour: small, domain: core}", f"one: {{{keys}}}",
            f"two: {{{keys}}}")  # fmt: skip
    roomy = load_resolution(lab(tmp_path, *vnfs, head="capacity: {edge: {vcpus: 2}}\n"))
    assert where(roomy)["two"] == ("T1", "edge")
    tight = load_resolution(lab(tmp_path, *vnfs, head="capacity: {edge: {vcpus: 1.5}}\n"))
    assert (where(tight)["one"], where(tight)["two"]) == (("T1", "edge"), ("T1", "core"))
    memory = load_resolution(lab(tmp_path, *vnfs, head="capacity: {edge: {ram_mib: 2048}}\n"))
    assert where(memory)["one"] == ("T1", "core")


def test_vnfs_that_name_a_domain_take_their_room_first(tmp_path: Path) -> None:
    first = "first: {type: command, command: ['true'], flavour: small}"
    last = "last: {type: command, command: ['true'], flavour: small, domain: edge}"
    chain = (*access("flavour: small, domain: core"), "vsre: {type: vsre, flavour: small, domain: core}")
    found = load_resolution(lab(tmp_path, *chain, first, last, head="capacity: {edge: {vcpus: 0.5}}\n"))
    assert (where(found)["first"], where(found)["last"]) == (("T1", "core"), ("T1", "edge"))


def test_domains_of_other_names_must_be_named(tmp_path: Path) -> None:
    path = lab(tmp_path, *access("flavour: small"), "vsre: {type: vsre, flavour: small, domain: town}",
               head="domains: [street, town]\n")  # fmt: skip
    assert faults(path) == [
        "no domain for a VNF of T1: edge is not in this testbed; central-office is not in this testbed; "
        "core is not in this testbed"
    ]


def test_a_name_that_the_file_has_is_not_taken_for_a_wish(tmp_path: Path) -> None:
    path = lab(
        tmp_path, *access("wishes: {slice: URLLC}"), "vsre: {type: vsre, flavour: wish1, domain: core}"
    )
    path.write_text(path.read_text().replace("flavours: {", "flavours: {wish1: {vcpus: 0.1}, "))
    testbed = load_testbed(path)
    assert testbed.flavours["wish1"].vcpus == 0.1
    assert testbed.services["video"].vnfs["van"].flavour == "wish2"


def test_classes_of_ones_own(tmp_path: Path) -> None:
    own = (data_dir("profiles") / "classes.yaml").read_text().replace("vcpus: [4, 8]", "vcpus: [0.25, 0.4]")
    own = own.replace("T1: {vcpus: 2", "T1: {vcpus: 0.2").replace("T2: {vcpus: 8", "T2: {vcpus: 0.3")
    (tmp_path / "tiny.yaml").write_text(own)
    path = lab(
        tmp_path, *access("flavour: small"), "vsre: {type: vsre, flavour: small}", head="classes: tiny.yaml\n"
    )
    assert where(load_resolution(path))["vsre"] == ("T2", "core")
    (tmp_path / "tiny.yaml").write_text(own.replace("[0.25, 0.4]", "[0.4, 0.25]"))
    with pytest.raises(InvalidFile, match=r"classes file .*tiny\.yaml has"):
        load_resolution(path)


def test_a_resolved_testbed_resolves_to_itself(tmp_path: Path) -> None:
    """What a run's manifest records is whole: nothing is left to follow from anything."""
    wishes = "vsre: {type: vsre, wishes: {slice: eMBB, latency_ms: 20}}"
    first = load_resolution(lab(tmp_path, *access("flavour: small"), wishes, head=THREE))
    written = WrittenTestbed.model_validate_json(first.testbed.model_dump_json(by_alias=True))
    again, wrong = resolve(written, first.classes)
    assert wrong == []
    assert again.testbed == first.testbed
    assert all(choice.reasons == () for choice in again.choices)
