"""``classify fit`` and ``classify assign``, as a user calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner
from unit.classes.conftest import Rows, Sizes

from testbedctl.cli import classify
from testbedctl.errors import InvalidFile, RunFailed, TestbedError, UsageError
from testbedctl.spec.loader import load_classes

Write = Callable[[Rows], Path]
app = typer.Typer()
classify.register(app)


def call(*words: object) -> str:
    """What a command prints; errors of ours are raised."""
    done = CliRunner().invoke(app, ["classify", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def trace(dataset: Write, cloud: Sizes) -> Path:
    return dataset({f"vm{n}": [(vcpus, 2600 * vcpus, ram_gib)] for n, (vcpus, ram_gib) in enumerate(cloud)})


def test_fit_prints_clusters_limits_and_the_papers_claims(trace: Path) -> None:
    shown = call("fit", trace)
    assert "60 VMs of made-up, k-means with k = 3" in shown
    assert "everything else" in shown and "warning: hardly any outlier" in shown
    assert "≤ 2 vCPU and ≤ 4 GiB" in shown and "> 8 vCPU and > 16 GiB" in shown
    assert "50.0" in shown and "elbow at k = 3" in shown
    claims = [line.split() for line in shown.splitlines() if line.lstrip().startswith("FI-10")]
    assert ["FI-10", "t1_vcpus", "4", "2", "not", "met"] in claims
    assert ["FI-10", "elbow_cpu", "3", "3", "met"] in claims


def test_fit_json_is_one_document(trace: Path) -> None:
    document = json.loads(call("fit", trace, "--json"))
    assert document["limits"] == {"vcpus": [2, 8], "ram_gib": [4, 16]}
    assert [each["vms"] for each in document["types"]] == [30, 20, 10]
    assert sum(each["proportion"] for each in document["types"]) == pytest.approx(1)
    assert len(document["features"]["vcpus"]["distortion"]) == 6


def test_fit_writes_classes_that_the_next_fit_and_assign_take(trace: Path, tmp_path: Path) -> None:
    made = tmp_path / "mine.yaml"
    call("fit", trace, "--output", made)
    assert load_classes(made).limits.vcpus == [2, 8]
    again = json.loads(call("fit", trace, "--previous", made, "--json"))
    assert again["limits_from"] == "fit" and again["types"][0]["proportion_kept"] == pytest.approx(0.5)
    assert (
        json.loads(call("assign", "--vcpus", 4, "--ram-gib", 8, "--classes", made, "--json"))["vnf_class"]
        == "T2"
    )


def test_the_figure_is_a_picture_with_both_curves(trace: Path, tmp_path: Path) -> None:
    call("fit", trace, "--figure", tmp_path / "elbow.svg")
    call("fit", trace, "--figure", tmp_path / "elbow.png")
    picture = (tmp_path / "elbow.svg").read_text()
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert picture.count("<!-- elbow at k = 3 -->") == 2
    assert (tmp_path / "elbow.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="no kind of picture"):
        call("fit", trace, "--figure", tmp_path / "elbow.doc", "--output", tmp_path / "mine.yaml")
    assert not (tmp_path / "mine.yaml").exists()


@pytest.mark.parametrize("text", ["my letter\n", "name: lab\nhosts: {h: {}}\n"])
def test_fit_replaces_a_classes_file_and_nothing_else(text: str, trace: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.yaml exists and is not a classes file"):
        call("fit", trace, "--output", mine)
    assert mine.read_text() == text
    mine.unlink()
    call("fit", trace, "--output", mine)
    call("fit", trace, "--output", mine, "--seed", 7)
    assert (found := load_classes(mine).fitted) and found.seed == 7


def test_a_place_that_cannot_be_written_is_told_without_runs(trace: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="cannot write") as caught:
        call("fit", trace, "--output", tmp_path / "no" / "mine.yaml")
    assert caught.value.hint and "RUNS" not in caught.value.hint


def test_what_is_no_data_set_or_a_damaged_one_is_refused(trace: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a data set"):
        call("fit", tmp_path)
    manifest = trace / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(json.dumps({**json.loads(whole), "more": 1}))
    with pytest.raises(InvalidFile, match="more: Extra inputs"):
        call("fit", trace)
    manifest.write_text(whole)
    samples = bytearray((trace / "samples.parquet").read_bytes())
    samples[len(samples) // 2] ^= 1
    (trace / "samples.parquet").write_bytes(samples)
    with pytest.raises(InvalidFile, match="is not what its manifest says"):
        call("fit", trace)


def test_assign_takes_resources_or_wishes() -> None:
    assert call("assign", "--vcpus", 4, "--ram-gib", 8).splitlines()[0] == "T1, 4 vCPU, 8 GiB, edge"
    wished = json.loads(
        call("assign", "--slice", "eMBB", "--bandwidth-mbps", 600, "--latency-ms", 20, "--json")
    )
    assert (wished["vnf_class"], wished["vcpus"], wished["domain"]) == ("T2", 8, "central-office")
    assert "central-office is not in this testbed" in call(
        "assign", "--slice", "eMBB", "--testbed", "slice-sharing"
    )


@pytest.mark.parametrize(
    "words",
    [[], ["--vcpus", 4], ["--ram-gib", 4], ["--bandwidth-mbps", 4],
     ["--vcpus", 4, "--ram-gib", 8, "--slice", "eMBB"], ["--vcpus", 4, "--ram-gib", 8, "--latency-ms", 3]],
)  # fmt: skip
def test_assign_wants_one_of_the_two_whole(words: list[object]) -> None:
    with pytest.raises(TestbedError, match="resources or wishes are needed, and not both"):
        call("assign", *words)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    ("option", "others"),
    [("--vcpus", ["--ram-gib", "8"]), ("--ram-gib", ["--vcpus", "4"]),
     ("--bandwidth-mbps", ["--slice", "eMBB"]), ("--latency-ms", ["--slice", "eMBB"])],
)  # fmt: skip
def test_assign_takes_only_numbers_that_are_finite(option: str, others: list[str], number: str) -> None:
    done = CliRunner().invoke(app, ["classify", "assign", f"{option}={number}", *others, "--json"])
    assert done.exit_code == 2
    assert option in done.stderr and done.stdout == ""


def test_the_testbeds_own_classes_count(tmp_path: Path, trace: Path) -> None:
    call("fit", trace, "--output", tmp_path / "mine.yaml")
    (tmp_path / "lab.yaml").write_text("name: lab\nclasses: mine.yaml\nhosts: {h: {}}\n")
    own = json.loads(
        call("assign", "--vcpus", 4, "--ram-gib", 8, "--testbed", tmp_path / "lab.yaml", "--json")
    )
    assert (own["vnf_class"], own["domain"]) == ("T2", "core")
