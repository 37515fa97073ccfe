"""From a file to YAML nodes; what is no text, too big or no YAML ends here with its place."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node
from ruamel.yaml.reader import ReaderError

from testbedctl.errors import InvalidFile, Place

MAX_BYTES = 512 * 1024
"""A lab of a thousand hosts takes about a tenth of this; reading so much takes some seconds."""
MAX_VALUES = 100_000
"""Values in a file after aliases are expanded."""
_MAX_DEPTH = 60
_PLAIN_WORDS = {
    "'\\t'": "not YAML: a tab stands where only spaces may indent",
    "maximum depth": f"values are nested more than {_MAX_DEPTH} deep",
    "found another document": "a second document begins here; a file holds one",
    "<block end>": "not YAML: the indentation fits none of the lines above",
}
"""Words of the parser that say little to whoever wrote the file, and what is said instead."""


def read_text(path: Path) -> str:
    """The text of a UTF-8 file of at most ``MAX_BYTES``.

    Raises ``InvalidFile`` if it is missing, cannot be read, is too big or is no UTF-8.
    """
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(file, "no such file") from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(file, f"cannot be read: {cause.lower()}") from None
    if len(raw) > MAX_BYTES:
        raise _unreadable(file, f"is larger than {MAX_BYTES // 1024} KiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise InvalidFile(f"{file} is not UTF-8 text", places=[_after(file, before, message)]) from None


def compose(file: str, text: str) -> Node | None:
    """The root node of the one YAML 1.2 document in ``text``, or None if it has none.

    Raises ``InvalidFile`` with the place where the text stops being YAML.
    """
    yaml = YAML(typ="rt")
    yaml.max_depth = _MAX_DEPTH
    yaml.composer.warn_double_anchors = False  # YAML 1.2 lets a later anchor take the name of an earlier one
    try:
        root: Node | None = yaml.compose(text)
    except RecursionError:
        raise _not_yaml(file, Place(file, 1, 1, "values are nested too deeply")) from None
    except Exception as error:  # noqa: BLE001 - ruamel also raises bare Value-, Type- and KeyErrors on odd input
        raise _not_yaml(file, _place_of(file, text, error)) from None
    return root


def _place_of(file: str, text: str, error: Exception) -> Place:
    if isinstance(error, ReaderError):
        # the text is decoded, so the position counts characters
        return _after(file, text[: error.position], "a control character cannot stand in YAML")
    mark = isinstance(error, MarkedYAMLError) and (error.problem_mark or error.context_mark)
    message = _said(error)
    return Place(file, mark.line + 1, mark.column + 1, message) if mark else Place(file, 1, 1, message)


def _said(error: Exception) -> str:
    """The parser's words as one line of ours."""
    if not isinstance(error, MarkedYAMLError):
        kind = "" if isinstance(error, YAMLError) else f"{type(error).__name__}: "
        return f"not YAML: {kind}{' '.join(str(error).split())[:100]}"
    problem = " ".join(str(error.problem or "the text cannot be parsed").split())
    for words, plain in _PLAIN_WORDS.items():
        if words in problem:
            return plain
    context = f" {error.context}" if error.context and error.context.startswith("while") else ""
    return f"not YAML: {problem[:120]}{context[:80]}"


def _after(file: str, before: str, message: str) -> Place:
    return Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"), message)


def _not_yaml(file: str, place: Place) -> InvalidFile:
    return InvalidFile(f"{file} is not valid YAML", places=[place])


def _unreadable(file: str, message: str) -> InvalidFile:
    return InvalidFile(f"{file} cannot be used", places=[Place(file, 1, 1, message)])
