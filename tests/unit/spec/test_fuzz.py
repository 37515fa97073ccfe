"""Whatever a file holds, the loader answers with a model or with ``InvalidFile``, and with nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile
from testbedctl.spec.document import read_document
from testbedctl.spec.loader import load_any, load_profile, load_testbed

SEEDS = range(40)
SHIPPED = [
    path for kind in ("testbeds", "stress") for path in sorted((data_dir("profiles") / kind).glob("*.yaml"))
] + [data_dir("profiles") / "classes.yaml"]
TOKENS = [
    *"{}[]:,-#&*!|>'\"%@`?\t\n\0\x1b\x85\u2028\ufeff",
    "&a ", "*a", "*sla", "<<: *sla", "<<: 3", "<<: [*sla, *sla]", "!!python/object:os.system ", "!!binary ",
    "!x ", "null", "~", "true", ".nan", "-.inf", "1e999", "-1", "0", "9" * 400, "9" * 5000, "0x", "0o9",
    "1_0", "2020-01-01", '"\\ud800"', '"\\0"', '"\\e[2J"', "a;reboot", "../x", "x" * 200, "<b>", "---\n",
    "...\n", "%YAML 1.1\n---\n", "%YAML 9.9\n---\n", "? [a]\n: b\n", "? ", "[key]: 1\n", "'[key]': {}\n",
    "= : 1\n", "kind: ", "  ", "    ", "shape: {kind: steps}\n", "services: {}\n", "hosts: [1]\n",
    "[" * 90, "{a: " * 90, "é", "\U0001f600",
]  # fmt: skip


def mutated(text: str, chance: random.Random) -> str:
    """A text with one to six pieces deleted, doubled, replaced by tokens, or swapped."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 0, 1, 2, 5, 20, 80)))
        piece = chance.choice(("", chance.choice(TOKENS), text[start:end] * 2, chance.choice(TOKENS) * 2))
        text = text[:start] + piece + text[end:]
    return text


def refusal(load: Callable[[Path], object], path: Path) -> InvalidFile | None:
    """How a loader refuses a file, or None if it takes it; any other exception fails the test."""
    try:
        load(path)
    except InvalidFile as error:
        assert error.places, error.message
        for place in error.places:
            assert place.line >= 1 and place.column >= 1
            assert "\n" not in place.message and "\x1b" not in place.message
            assert len(place.message) < 1500
            place.message.encode()
        return error
    return None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mutated_file_gives_a_model_or_invalid_file(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    refused = 0
    for source in SHIPPED:
        path = tmp_path / "mutated.yaml"
        path.write_text(mutated(source.read_text(), chance), encoding="utf-8", errors="surrogatepass")
        refused += refusal(load_any, path) is not None
        refusal(load_testbed, path)
        refusal(load_profile, path)
    assert refused, "no mutation was refused: the loop does not test anything"


@pytest.mark.parametrize("seed", SEEDS)
def test_random_bytes_give_invalid_file(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "random.yaml"
    path.write_bytes(random.Random(seed).randbytes(200))
    assert refusal(load_any, path) is not None


VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 10**12, 10**400, "", "x", "a;reboot", "y" * 300, "\ud800", "\0", "payload",
    "edge", "\x1b[2J", [], [[]], ["van", "vdpi"], {}, {"a": 1}, {"[key]": 1}, {"kind": "hold"}, {"": {}},
]  # fmt: skip


def scrambled(value: Any, chance: random.Random) -> Any:
    """Plain data with a few values replaced, keys misspelled and entries dropped or doubled."""
    if chance.random() < 0.04:
        return chance.choice(VALUES)
    if isinstance(value, dict):
        entries = [(key, scrambled(inner, chance)) for key, inner in value.items() if chance.random() > 0.02]
        return {key[:-1] if chance.random() < 0.02 else key: inner for key, inner in entries}
    if isinstance(value, list):
        return [
            scrambled(item, chance) for item in value for _ in range(chance.choice((1, 1, 1, 1, 1, 1, 2)))
        ]
    return value


@pytest.mark.parametrize("seed", SEEDS)
def test_scrambled_values_give_a_model_or_invalid_file(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    refused = 0
    for source in SHIPPED:
        path = tmp_path / "scrambled.yaml"  # JSON is YAML
        path.write_text(json.dumps(scrambled(read_document(source).data, chance)), encoding="utf-8")
        refused += refusal(load_any, path) is not None
        refusal(load_testbed, path)
        refusal(load_profile, path)
    assert refused, "no scrambled file was refused: the loop does not test anything"
