"""The JSON Schemas of testbed files, stress profiles and classes files, made from the models.

Editors with a YAML language server follow the line ``# yaml-language-server: $schema=…`` to them.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from testbedctl.spec.classes import Classes
from testbedctl.spec.profile import Profile
from testbedctl.spec.testbed import Strict, WrittenTestbed

Kind = Literal["testbed", "profile", "classes"]
MODELS: dict[Kind, type[Strict]] = {"testbed": WrittenTestbed, "profile": Profile, "classes": Classes}


def json_schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of file, as a new dictionary."""
    schema = MODELS[kind].model_json_schema(by_alias=True)
    _tidy(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text(kind: Kind) -> str:
    """The JSON Schema as the published file holds it; the same text each time."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def _tidy(part: Any, *, names: bool = False) -> None:
    """Drop titles that only repeat a key's name; refuse names that match no pattern.

    ``names``: the keys of ``part`` are a user's or a model's names and no keywords of JSON Schema.
    """
    if isinstance(part, list):
        for item in part:
            _tidy(item)
    if not isinstance(part, dict):
        return
    if not names:
        if part.get("type") != "object":
            part.pop("title", None)
        elif "patternProperties" in part:
            part.pop("title", None)
            part["additionalProperties"] = False
    for key, value in part.items():
        _tidy(value, names=not names and key in ("properties", "$defs", "patternProperties"))
