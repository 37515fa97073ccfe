"""The lock file and what continuous integration runs."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def pins(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+==[^ ;\\]+)", (CHECKOUT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-train.txt"])
def test_the_lock_pins_everything_with_hashes_and_names_no_registry(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    assert not re.search(r"://|--(extra-)?index|--find-links|^-", text, re.MULTILINE)
    stanzas = re.findall(
        r"^([a-z0-9][^\s=]*)==\S+.*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE
    )
    assert len(stanzas) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 50


def test_the_lock_pins_what_the_project_asks_for() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["dev"]]
    names = {
        re.split(r"[^A-Za-z0-9.-]", line)[0].replace(".", "-").replace("_", "-").lower() for line in asked
    }
    locked = set(re.findall(r"^([a-z0-9-]+)==", (CHECKOUT / "constraints.txt").read_text(), re.MULTILINE))
    assert names <= locked
    assert f"\n{project['build-system']['requires'][0]} " in (CHECKOUT / "constraints.txt").read_text()


def test_what_training_adds_changes_no_pin_of_a_lab_and_is_not_cuda() -> None:
    assert pins("constraints.txt") < pins("constraints-train.txt")
    assert not [pin for pin in pins("constraints-train.txt") if re.match("torch|nvidia|triton|cuda", pin)]


def test_continuous_integration_runs_what_a_person_runs() -> None:
    commands = [
        line for line in (CHECKOUT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert commands == ["set -euo pipefail", 'exec "$(dirname "$0")/../setup.sh" test']
    assert os.access(CHECKOUT / ".ci/run", os.X_OK) and os.access(CHECKOUT / "setup.sh", os.X_OK)
