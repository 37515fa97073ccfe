"""The pinned packages: one version of each, whatever is installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("constraints.txt", "constraints-train.txt")


def pins(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+==[^ ;\\]+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))


def test_what_training_adds_changes_no_pin_of_a_lab() -> None:
    assert len(pins("constraints.txt")) > 50
    assert pins("constraints.txt") < pins("constraints-train.txt")


@pytest.mark.parametrize("name", FILES)
def test_no_index_is_named_and_every_pin_has_hashes(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    without = [block for block in re.findall(r"^\S+==[^#]*?(?=^\S|\Z)", text, re.M) if "--hash" not in block]
    assert without == []


def test_pytorch_and_what_cuda_needs_are_not_pinned() -> None:
    assert not [pin for pin in pins("constraints-train.txt") if re.match(r"torch|nvidia|triton|cuda", pin)]
