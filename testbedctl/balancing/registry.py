"""From ``--arm NAME[:key=value,…]`` to a policy."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, get_args, get_type_hints

from testbedctl.errors import UsageError
from testbedctl.ports import Forecaster, Policy

POLICIES = "testbedctl.policies"
FORECASTERS = "testbedctl.forecasters"
BUILT_IN = {
    POLICIES: {
        "none": "testbedctl.balancing.unbalanced:Unbalanced",
        "reactive": "testbedctl.balancing.reactive:Reactive",
    },
    FORECASTERS: {
        "persistence": "testbedctl.forecast.persistence:Persistence",
        "shipped": "testbedctl.forecast.runtime.onnx_forecaster:shipped",
    },
}
"""What is there also when the package is not installed; these names cannot be replaced by an entry point."""
MODEL_FILE = ".onnx"
FROM_FILE = "testbedctl.forecast.runtime.onnx_forecaster:testbed_forecaster"
"""What makes a forecaster of the path of a model file."""
DEFAULT_FORECASTER = "persistence"
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def policy(arm: str) -> tuple[str, Policy]:
    """The policy that an arm names, and its name: ``reactive:hold_s=60`` → ``("reactive", …)``.

    A fresh one at each call, since a policy remembers. Keys are the keyword arguments of the policy's
    class; ``forecaster`` is a name of the entry-point group ``testbedctl.forecasters``, or a model file.
    Raises ``UsageError`` for an unknown name or key, a value of the wrong kind, a plug-in that does not load
    and a model file that does not fit.
    """
    name, colon, text = arm.strip().partition(":")
    if colon and not text:
        raise UsageError(f"arm {arm!r}: nothing after ':'", hint="write NAME or NAME:key=value,…")
    factory = _load(POLICIES, "policy", name)
    options = _options(arm, factory, text)
    if "forecaster" in inspect.signature(factory).parameters:
        options["forecaster"] = forecaster(str(options.get("forecaster", DEFAULT_FORECASTER)))
    made = factory(**options)
    if not all(callable(getattr(made, method, None)) for method in ("decide", "place")):
        raise UsageError(f"policy {name!r} has no 'decide' or no 'place'", hint="see docs/how-to/policy.md")
    return name, made


def forecaster(name: str) -> Forecaster:
    """The forecaster registered as ``name``, or of the model file ``name``, a path that ends in ``.onnx``.

    Raises ``UsageError`` as ``policy`` does.
    """
    if name.endswith(MODEL_FILE):
        made: Forecaster = _attribute(FROM_FILE)(name)
    else:
        made = _load(FORECASTERS, "forecaster", name)()
    return made


def names(group: str = POLICIES) -> list[str]:
    """Every registered name of an entry-point group, built-in or installed, sorted."""
    return sorted({*BUILT_IN[group], *(entry.name for entry in entry_points(group=group))})


def _load(group: str, kind: str, name: str) -> Callable[..., Any]:
    known = names(group)
    if name not in known:
        raise UsageError(f"unknown {kind} {name!r}", hint=_nearest(name, known))
    if target := BUILT_IN[group].get(name):
        return _attribute(target)
    entry = next(iter(entry_points(group=group, name=name)))
    try:
        loaded: Callable[..., Any] = entry.load()
    except (ImportError, AttributeError) as error:
        hint = f"reinstall the package that provides {entry.value!r}, or remove it"
        raise UsageError(f"{kind} {name!r} does not load: {error}", hint=hint) from error
    return loaded


def _attribute(target: str) -> Callable[..., Any]:
    module, _, attribute = target.partition(":")
    factory: Callable[..., Any] = getattr(import_module(module), attribute)
    return factory


def _options(arm: str, factory: Callable[..., Any], text: str) -> dict[str, object]:
    kinds = _kinds(factory)
    options: dict[str, object] = {}
    for pair in text.split(",") if text else []:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not key or not value:
            raise UsageError(f"arm {arm!r}: {pair!r} is not key=value", hint="write NAME:key=value,…")
        if key not in kinds:
            raise UsageError(f"arm {arm!r}: unknown key {key!r}", hint=_nearest(key, sorted(kinds)))
        if key in options:
            raise UsageError(f"arm {arm!r}: key {key!r} is given twice")
        options[key] = _convert(arm, key, value, kinds[key])
    return options


def _kinds(factory: Callable[..., Any]) -> dict[str, type]:
    """The type that each keyword's text is turned into: ``float | None`` means float, a forecaster str."""
    target = factory.__init__ if inspect.isclass(factory) else factory
    hints = get_type_hints(target)
    parameters = inspect.signature(factory).parameters.values()
    named = (p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    kinds = {}
    for parameter in named:
        hint = hints.get(parameter.name, str)
        options = [kind for kind in (get_args(hint) or (hint,)) if kind in (bool, int, float, str)]
        kinds[parameter.name] = options[0] if options else str
    return kinds


def _convert(arm: str, key: str, value: str, kind: type) -> object:
    wrong = UsageError(f"arm {arm!r}: {key}={value!r} is not a {_WORDS[kind]}")
    if kind is bool:
        if value.lower() not in BOOLEANS:
            raise wrong
        return BOOLEANS[value.lower()]
    try:
        converted = kind(value)
    except ValueError:
        raise wrong from None
    if kind is float and not math.isfinite(converted):
        raise wrong
    return converted


_WORDS = {bool: "yes or no", int: "whole number", float: "number", str: "word"}


def _nearest(word: str, known: list[str]) -> str:
    if not known:
        return "it takes no keys"
    near = get_close_matches(word, known, n=1)
    listed = ", ".join(known)
    return f"did you mean {near[0]!r}? There are: {listed}" if near else f"there are: {listed}"
