"""Classes files: the rule of the paper's Table 3, and what the shipped one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbedctl.errors import InvalidFile
from testbedctl.spec.classes import class_within
from testbedctl.spec.loader import load_any, load_classes

SHIPPED = load_classes()


@pytest.mark.parametrize(
    ("vcpus", "ram_gib", "expected"),
    [
        (0.35, 1, "T1"), (4, 8, "T1"), (4.01, 8, "T2"), (4, 8.01, "T2"), (1, 64, "T2"), (64, 1, "T2"),
        (8, 16, "T2"), (8.01, 16, "T2"), (8, 16.01, "T2"), (8.01, 16.01, "T3"), (32, 512, "T3"),
    ],
)  # fmt: skip
def test_the_types_are_those_of_table_3(vcpus: float, ram_gib: float, expected: str) -> None:
    """§5.1: T1 no more than 4 vCPU and 8 GB; T3 greater than 8 vCPU and more than 16 GB; T2 is the rest."""
    assert class_within(SHIPPED.limits, vcpus, ram_gib) == expected


def test_the_types_go_with_the_papers_domains() -> None:
    """§5.1: the three types are aligned with edge, central office and core; the edge has least."""
    assert [SHIPPED.type_of(each).domains[0] for each in ("T1", "T2", "T3")] == [
        "edge",
        "central-office",
        "core",
    ]
    resources = [(SHIPPED.type_of(each).vcpus, SHIPPED.type_of(each).ram_gib) for each in ("T1", "T2", "T3")]
    assert resources == sorted(resources)
    delays = SHIPPED.delays_ms
    assert delays["edge"] < delays["central-office"] < delays["core"]


def test_a_classes_file_is_told_apart_from_a_testbed(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: lab\nhosts: {h1: {}}\n")
    with pytest.raises(InvalidFile, match="no classes file"):
        load_classes(file)
    file.write_text("name: mine\nlimts: {}\ntypes: {}\n")  # misspelled, and still known for what it is
    with pytest.raises(InvalidFile, match=r"classes file .* has"):
        load_any(file)
