"""How messages show what a user wrote: one line, short, nothing that moves a terminal's cursor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

_SHOWN = 40
_COMPARED = 300  # thousands of wrong words against thousands of names would take minutes


def quote(value: object) -> str:
    """A value as a message names it: text in quotes and shortened, ``a list of 3``, ``nothing``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted_text(value)
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, Sequence):
        return f"a list of {len(value)}"
    return "a mapping" if value else "an empty mapping"


def _quoted_text(text: str) -> str:
    if len(text) <= _SHOWN:
        return repr(text)
    return f"{text[:_SHOWN] + '…'!r} ({len(text)} characters)"


def number_text(value: float) -> str:
    """A number without an exponent as long as that can be read; digits grouped by spaces."""
    if abs(value) >= 1e15 or value != value:
        try:
            return f"{float(value):g}"
        except OverflowError:
            return "a number beyond every limit"
    if value == int(value):
        return f"{int(value):,}".replace(",", " ") if abs(value) >= 10_000 else str(int(value))
    return f"{value:g}"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``; did you mean 'vcpus'?`` for the nearest known word, or nothing."""
    right = nearest(word, known)
    return f"; did you mean {right!r}?" if right else ""


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word nearest to a misspelled one, if one is near."""
    candidates = {name.lower(): name for name in islice(known, _COMPARED)}
    matches = get_close_matches(str(word)[:100].lower(), candidates, n=1, cutoff=0.6)
    return candidates[matches[0]] if matches else None


def listed(words: Iterable[str]) -> str:
    """Words for a message: in their order, at most twenty, shortened ones."""
    names = list(words)
    shown = ", ".join(quote(name).strip("'\"") for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "(none)"
