"""The published JSON Schemas: current, sound, and named by every shipped file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from testbedctl.data import data_dir
from testbedctl.spec.schema import Kind, json_schema, schema_text

DOCS = Path(__file__).parents[3] / "docs" / "reference"
KINDS: dict[str, Kind] = {"testbeds": "testbed", "stress": "profile", "profiles": "classes"}
"""What the files of a folder are."""
PROFILES = data_dir("profiles")
FILES = [*sorted(PROFILES.glob("testbeds/*.yaml")), *sorted(PROFILES.glob("stress/*.yaml"))]
FILES.append(PROFILES / "classes.yaml")
PAGES: dict[Kind, str] = {"testbed": "spec.md", "profile": "profile.md", "classes": "classes.md"}


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_published_schema_is_current(kind: Kind) -> None:
    """If it is not: ``testbedctl schema testbed > docs/reference/testbed.schema.json``, or its like."""
    assert (DOCS / f"{kind}.schema.json").read_text(encoding="utf-8") == schema_text(kind)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_reference_leads_somewhere_and_every_key_is_described(kind: Kind) -> None:
    schema = json_schema(kind)
    named = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
    assert named == set(schema["$defs"])
    for model in (schema, *schema["$defs"].values()):
        assert model["description"] and model["additionalProperties"] is False
        for key, value in model["properties"].items():
            described = "description" in value or "$ref" in value or "const" in value
            assert described, key


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_file_names_its_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    target = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / target).resolve() == DOCS / f"{KINDS[path.parent.name]}.schema.json"


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_reference_pages_tell_of_every_key(kind: Kind) -> None:
    page = (DOCS / PAGES[kind]).read_text(encoding="utf-8")
    schema = json_schema(kind)
    keys = {key for model in (schema, *schema["$defs"].values()) for key in model["properties"]}
    assert {key for key in keys if f"`{key}`" not in page} == set()
