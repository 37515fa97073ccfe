"""Loading of testbeds and profiles: what is taken, how it is found, and where errors point."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile, UsageError
from testbedctl.spec.loader import load_any, load_profile, load_testbed
from testbedctl.spec.profile import Exponential, HoldRate, Profile
from testbedctl.spec.syntax import MAX_BYTES
from testbedctl.spec.testbed import Testbed

TESTBEDS = sorted(path.stem for path in data_dir("profiles").glob("testbeds/*.yaml"))
PROFILES = sorted(path.stem for path in data_dir("profiles").glob("stress/*.yaml"))
CHAIN = """\
name: lab
flavours: {small: {vcpus: 0.5}}
services:
  video:
    vni: 101
    vnfs:
      van: {type: van, domain: edge, flavour: small}
      vdpi: {type: vdpi, domain: edge, flavour: small, dpi: off, class: T2}
      vsre: {type: vsre, domain: core, flavour: small}
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", TESTBEDS)
def test_each_shipped_testbed_loads_by_its_name(name: str) -> None:
    assert load_testbed(name).name == name


@pytest.mark.parametrize("name", PROFILES)
def test_each_shipped_profile_loads_by_its_name(name: str) -> None:
    assert load_profile(name).name == name


def test_the_default_testbed_is_the_documented_one() -> None:
    testbed = load_testbed("slice-sharing")
    assert [service.vni for service in testbed.services.values()] == [101, 102]
    assert testbed.flavours["inspector"].vcpus == 0.35
    assert testbed.services["service2"].sla == testbed.services["service1"].sla
    assert testbed.services["service2"].sla.thresholds.cpu == 0.6
    assert isinstance(load_profile("exponential").shape, Exponential)
    assert len(load_testbed("four-vdpis").services) == 4


def test_yaml_1_2_leaves_off_a_word_and_class_has_its_alias(tmp_path: Path) -> None:
    vdpi = load_testbed(written(tmp_path, CHAIN)).services["video"].vnfs["vdpi"]
    assert (vdpi.dpi, vdpi.vnf_class) == ("off", "T2")


def test_a_file_wins_over_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "line").write_text("name: mine\nhosts: {h1: {}}\n")
    monkeypatch.chdir(tmp_path)
    assert load_testbed("line").name == "mine"


def test_an_unknown_name_tells_what_ships() -> None:
    with pytest.raises(UsageError) as caught:
        load_testbed("slice-sharin")
    assert "did you mean 'slice-sharing'?" in caught.value.message
    assert caught.value.hint is not None and "four-vdpis, line, slice-sharing" in caught.value.hint


@pytest.mark.parametrize(
    "reference", ["no/such.yaml", "nothere.yaml", "../x", "a;reboot", "y" * 5000, "nul\0"]
)
def test_a_path_to_nothing_is_one_clear_line(reference: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        load_testbed(reference)
    assert len(caught.value.places) == 1


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="cannot be used") as caught:
        load_testbed(tmp_path)
    assert "is a directory" in caught.value.places[0].message


def test_a_profile_is_refused_as_a_testbed_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as caught:
        load_testbed(data_dir("profiles") / "stress" / "quick.yaml")
    assert [p.message for p in caught.value.places] == [
        "this looks like a stress profile; a testbed is needed here"
    ]
    with pytest.raises(InvalidFile, match="no stress profile"):
        load_profile(written(tmp_path, CHAIN))


def test_anchors_aliases_and_merge_keys_work(tmp_path: Path) -> None:
    text = """\
name: lab
flavours:
  base: &base {vcpus: 0.5, ram_mib: 256}
  more: {<<: *base, ram_mib: 512}
  most: {ram_mib: 1024, <<: [*base, {vcpus: 4, storage_gib: 5}]}
hosts: {h1: &empty {}, h2: *empty}
"""
    flavours = load_testbed(written(tmp_path, text)).flavours
    assert (flavours["more"].vcpus, flavours["more"].ram_mib) == (0.5, 512)
    assert (flavours["most"].vcpus, flavours["most"].ram_mib, flavours["most"].storage_gib) == (0.5, 1024, 5)


def test_an_error_in_a_merged_value_points_at_where_it_is_written(tmp_path: Path) -> None:
    text = "name: lab\nflavours:\n  a: &a {vcpus: 0}\n  b: {<<: *a}\nhosts: {h: {}}\n"
    with pytest.raises(InvalidFile) as caught:
        load_testbed(written(tmp_path, text))
    assert [(p.line, p.column) for p in caught.value.places] == [(3, 17)]


@pytest.mark.parametrize("text", ["\ufeff" + CHAIN, CHAIN.replace("\n", "\r\n"), f"---\n{CHAIN}...\n"])
def test_byte_order_mark_windows_lines_and_markers_are_no_errors(text: str, tmp_path: Path) -> None:
    assert load_testbed(written(tmp_path, text)).name == "lab"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\n" + "#" * MAX_BYTES, "larger than 512 KiB"),
        ("name: x\nhosts: " + "[" * 50_000, "nested more than 60 deep"),
        ("name: x\nhosts: " + "- " * 5000, "not YAML"),
        ("name: x\nhosts:\n" + "".join(" " * i + "a:\n" for i in range(1, 200)), "nested more than 60 deep"),
        ("name: x\nh: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 900)), "100 000"),
        (CHAIN.encode("utf-16"), "byte 0xff is not UTF-8"),
    ],
    ids=["huge", "brackets", "dashes", "indents", "alias-chain", "utf-16"],
)
def test_what_would_exhaust_the_reader_is_refused(text: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as caught:
        load_testbed(written(tmp_path, text))
    assert words in caught.value.places[0].message


def test_a_thousand_errors_are_counted_and_a_hundred_shown(tmp_path: Path) -> None:
    hosts = "".join(f"  H{number}: {{}}\n" for number in range(1000))
    with pytest.raises(InvalidFile, match="has 1000 errors; the first 100 are shown") as caught:
        load_testbed(written(tmp_path, f"name: x\nhosts:\n{hosts}"))
    assert len(caught.value.places) == 100


def test_a_long_echo_is_shortened_and_nothing_moves_the_cursor(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as caught:
        load_testbed(written(tmp_path, f'name: {"n" * 200}\ndescription: "\\e[2J\\n"\nhosts: {{h1: {{}}}}\n'))
    messages = [place.message for place in caught.value.places]
    assert "(200 characters)" in messages[0] and len(messages[0]) < 200
    assert "\x1b" not in "".join(messages)


def test_the_capture_file_is_found_beside_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "day.pcap").write_bytes(b"")
    text = "name: p\ntraffic: pcap\npcap: day.pcap\nshape: {kind: hold, rate_mbps: 5, duration_s: 20}\n"
    path = written(tmp_path, text)
    monkeypatch.chdir(tmp_path.parent)
    profile = load_profile(path.relative_to(tmp_path.parent))
    assert profile.pcap == str(tmp_path / "day.pcap")


def test_kinds_are_told_apart_even_when_a_key_is_misspelled(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="stress profile"):
        load_any(written(tmp_path, "name: p\nshap: {}\n"))
    with pytest.raises(InvalidFile, match="testbed"):
        load_any(written(tmp_path, "name: p\nservics: {}\n"))


def test_a_loaded_model_survives_its_own_json() -> None:
    """What the run directory records can be read back."""
    testbed = load_testbed("slice-sharing")
    assert Testbed.model_validate_json(testbed.model_dump_json(by_alias=True)) == testbed
    profile = load_profile("arrivals")
    assert Profile.model_validate_json(profile.model_dump_json(by_alias=True)) == profile


def test_rules_hold_without_the_loader() -> None:
    with pytest.raises(ValidationError, match="longer than 'duration_s'"):
        HoldRate(kind="hold", rate_mbps=5, duration_s=5)
    with pytest.raises(ValidationError, match="below 'start_mbps'"):
        Exponential(kind="exponential", start_mbps=5, top_mbps=4, step_s=1)
