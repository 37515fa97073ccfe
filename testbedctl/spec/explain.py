"""pydantic's errors in the words of the file: what was found, what is allowed, the nearest right word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from testbedctl.errors import Place
from testbedctl.spec.document import Document, Where
from testbedctl.spec.quoting import did_you_mean, listed, nearest, number_text, quote
from testbedctl.spec.testbed import NAME_RULE, RULES

_KEY = "[key]"  # pydantic's mark for an error in a key of a mapping


def places_of(error: ValidationError, document: Document, schema: dict[str, Any]) -> Iterator[Place]:
    """Every error of a validation as a place in the file; ``schema`` is the model's JSON Schema."""
    faults = error.errors(include_url=False)
    meant = {
        (*fault["loc"][:-1], nearest(fault["loc"][-1], _keys(schema, fault["loc"][:-1])))
        for fault in faults
        if fault["type"] == "extra_forbidden"
    }
    for fault in faults:
        # a misspelled key is one error, not also a missing one
        if fault["type"] != "missing" or fault["loc"] not in meant:
            yield _place(fault, document, schema)


def path_text(path: Where) -> str:
    """A path as people write it: ``services.video.vnfs``, ``links[2].ends``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{listed([part])}" if text else listed([part])
    return text


def _place(fault: ErrorDetails, document: Document, schema: dict[str, Any]) -> Place:
    where, kind = fault["loc"], fault["type"]
    if kind == "extra_forbidden":
        keys = _keys(schema, where[:-1])
        hint = did_you_mean(where[-1], keys)
        allowed = f"allowed: {listed(keys)}{hint}" if keys else "no keys are allowed here"
        return _told(document, where[:-1], f"unknown key {quote(where[-1])}; {allowed}", key_path=where)
    if kind == "missing":
        return _told(document, where[:-1], f"the key {quote(where[-1])} is missing", key_path=where[:-1])
    if where[-1:] == (_KEY,):
        text = f"the name {quote(where[-2])} cannot be used; allowed: {NAME_RULE}"
        return _told(document, where[:-2], text, key_path=where[:-1])
    if kind == "rule":
        beside = fault["ctx"]["at"]
        return _told(document, (*where[:-1], beside) if beside else where, fault["ctx"]["text"])
    if kind.startswith("union_tag"):
        return _unknown_variant(fault, document, schema)
    return _wrong_value(fault, document, schema)


def _told(document: Document, path: Where, text: str, *, key_path: Where | None = None) -> Place:
    """A place with its path in front: at the value, or at the key of ``key_path``."""
    label = path_text(_in_file(path, document.data))
    message = f"{label}: {text}" if label else text
    if key_path is None:
        return document.place(path, message)
    return document.place(key_path, message, at_key=True)


def _wrong_value(fault: ErrorDetails, document: Document, schema: dict[str, Any]) -> Place:
    found = fault["input"]
    allowed = _schema_at(schema, fault["loc"])
    words = [word for word in allowed.get("enum", []) if isinstance(found, str)]
    text = f"found {quote(found)}; allowed: {_phrase(allowed) or fault['msg']}{did_you_mean(found, words)}"
    return _told(document, fault["loc"], text)


def _unknown_variant(fault: ErrorDetails, document: Document, schema: dict[str, Any]) -> Place:
    where = fault["loc"]
    discriminator = _schema_at(schema, where)["discriminator"]
    key, kinds = discriminator["propertyName"], list(discriminator["mapping"])
    if not isinstance(fault["input"], dict) or key not in fault["input"]:
        text = f"the key {key!r} is missing; allowed: {listed(kinds)}"
        return _told(document, where, text, key_path=where)
    found = fault["input"][key]
    text = f"found {quote(found)}; allowed: {listed(kinds)}{did_you_mean(found, kinds)}"
    return _told(document, (*where, key), text)


def _in_file(path: Where, data: Any) -> Where:
    """The path without the parts that pydantic put in, such as the variant of a union."""
    kept: list[str | int] = []
    for part in path[:-1]:
        within = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if within:
            data = data[part]
            kept.append(part)
    return (*kept, *path[-1:])


def _keys(schema: dict[str, Any], path: Where) -> list[str]:
    return list(_schema_at(schema, path).get("properties", {}))


def _schema_at(schema: dict[str, Any], path: Where) -> dict[str, Any]:
    """The part of a JSON Schema that a path of pydantic leads to."""
    part = _resolved(schema, schema)
    for step in path:
        if "oneOf" in part:
            part = {"$ref": part["discriminator"]["mapping"].get(step, "")}
        elif "properties" in part:
            part = part["properties"].get(step, {})
        elif "patternProperties" in part:
            part = next(iter(part["patternProperties"].values()))
        else:
            part = part.get("items", {})
        part = _resolved(schema, part)
    return part


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and the variant beside null of an optional value."""
    options = [option for option in part.get("anyOf", []) if option.get("type") != "null"]
    if options:
        return _resolved(schema, options[0])
    name = part.get("$ref", "").removeprefix("#/$defs/")
    return _resolved(schema, schema["$defs"][name]) if name else part


def _phrase(part: dict[str, Any]) -> str:
    """What a JSON Schema allows, in words."""
    if "enum" in part:
        return listed(part["enum"])
    if "const" in part:
        return str(part["const"])
    kind = part.get("type")
    if kind in ("number", "integer"):
        return f"a {'whole ' if kind == 'integer' else ''}number {_range(part)}".rstrip()
    if kind == "array":
        return f"a list {_count(part)}".rstrip()
    if kind == "string":
        return RULES.get(part.get("pattern", ""), "text")
    if kind == "object" and "minProperties" in part:
        return f"a mapping of {part['minProperties']} or more entries"
    if kind == "object" and "patternProperties" not in part and "required" not in part:
        return "a mapping, such as {}"
    return "a mapping of keys and values" if kind == "object" or "oneOf" in part else ""


def _range(part: dict[str, Any]) -> str:
    above, least, most = part.get("exclusiveMinimum"), part.get("minimum"), part.get("maximum")
    if least is not None and most is not None:
        return f"from {number_text(least)} to {number_text(most)}"
    words = []
    if above is not None:
        words.append(f"above {number_text(above)}")
    if most is not None:
        words.append(f"at most {number_text(most)}")
    return ", ".join(words)


def _count(part: dict[str, Any]) -> str:
    least, most = part.get("minItems"), part.get("maxItems")
    if least == most:
        return f"of {least}" if least else ""
    return f"of {least} or more" if most is None else f"of {least} to {most}"
