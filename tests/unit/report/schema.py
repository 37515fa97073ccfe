"""A small structural check against a JSON Schema: the keywords that the published schemas use, and no
other one, so that a keyword that is not understood fails instead of passing."""

from __future__ import annotations

import re
from typing import Any

_IGNORED = {"title", "description", "default", "$schema", "$id", "$defs"}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "$") -> list[str]:
    """Everything in ``value`` that does not follow ``schema``."""
    if "$ref" in schema:
        return faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    found = _type(value, schema, root, where) if "type" in schema else []
    if found:
        return found
    for keyword in schema.keys() - _IGNORED:
        found += _KEYWORDS[keyword](value, schema, root, where)
    return found


def _type(value: Any, schema: dict[str, Any], _root: dict[str, Any], where: str) -> list[str]:
    wanted = schema["type"]
    is_bool = isinstance(value, bool) and wanted != "boolean"
    return [] if isinstance(value, _TYPES[wanted]) and not is_bool else [f"{where}: not of type {wanted}"]


def _required(value: Any, schema: dict[str, Any], _root: dict[str, Any], where: str) -> list[str]:
    return [f"{where}: lacks {name}" for name in schema["required"] if name not in value]


def _properties(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str) -> list[str]:
    known = schema["properties"]
    return [f for k, v in value.items() if k in known for f in faults(v, known[k], root, f"{where}.{k}")]


def _additional(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str) -> list[str]:
    rule = schema["additionalProperties"]
    extra = {k: v for k, v in value.items() if k not in schema.get("properties", {})}
    if rule is True:
        return []
    if rule is False:
        return [f"{where}: unknown {key}" for key in extra]
    return [fault for k, v in extra.items() for fault in faults(v, rule, root, f"{where}.{k}")]


def _items(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str) -> list[str]:
    return [f for i, v in enumerate(value) for f in faults(v, schema["items"], root, f"{where}[{i}]")]


def _any_of(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str) -> list[str]:
    branches = [faults(value, branch, root, where) for branch in schema["anyOf"]]
    return [] if any(not branch for branch in branches) else [f"{where}: fits no branch: {branches}"]


def _bound(holds: Any, keyword: str) -> Any:
    def check(value: Any, schema: dict[str, Any], _root: dict[str, Any], where: str) -> list[str]:
        return [] if holds(value, schema[keyword]) else [f"{where}: {keyword} {schema[keyword]}"]

    return check


_KEYWORDS = {
    "type": _type,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "anyOf": _any_of,
    "enum": _bound(lambda value, allowed: value in allowed, "enum"),
    "const": _bound(lambda value, wanted: value == wanted, "const"),
    "minimum": _bound(lambda value, limit: value >= limit, "minimum"),
    "exclusiveMinimum": _bound(lambda value, limit: value > limit, "exclusiveMinimum"),
    "minItems": _bound(lambda value, limit: len(value) >= limit, "minItems"),
    "pattern": _bound(lambda value, pattern: bool(re.search(pattern, value)), "pattern"),
}
