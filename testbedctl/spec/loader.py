"""From a file, or the name of a shipped one, to a checked testbed, stress profile or classes file.

Every error of a file is told at once, with file, line and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile, Place, UsageError
from testbedctl.spec.checks import Fault, faults_of
from testbedctl.spec.classes import Classes
from testbedctl.spec.document import Document, read_document
from testbedctl.spec.explain import places_of
from testbedctl.spec.profile import Profile
from testbedctl.spec.quoting import did_you_mean, listed, nearest, quote
from testbedctl.spec.resolution import Resolution, resolve
from testbedctl.spec.schema import MODELS, Kind, json_schema
from testbedctl.spec.testbed import NAME_PATTERN, Strict, Testbed, WrittenTestbed

_FOLDERS: dict[Kind, str] = {"testbed": "testbeds", "profile": "stress"}
_WORDS: dict[Kind, str] = {"testbed": "testbed", "profile": "stress profile", "classes": "classes file"}
_MOST_PLACES = 100
_Model = TypeVar("_Model", bound=Strict)


def load_testbed(ref: str | Path) -> Testbed:
    """The testbed in a file, or the shipped one of that name; what it leaves out is filled in.

    Raises ``InvalidFile`` with every place that is wrong, ``UsageError`` if nothing has that name.
    """
    return load_resolution(ref).testbed


def load_resolution(ref: str | Path) -> Resolution:
    """The same, with what was filled in and why."""
    document = read_document(find(ref, "testbed"))
    _refuse_other_kind(document, "testbed")
    return _testbed(document)


def load_profile(ref: str | Path) -> Profile:
    """The stress profile in a file, or the shipped one of that name; ``pcap`` becomes an absolute path.

    Raises ``InvalidFile`` with every place that is wrong, ``UsageError`` if nothing has that name.
    """
    document = read_document(find(ref, "profile"))
    _refuse_other_kind(document, "profile")
    return _profile(document)


def load_classes(path: Path | None = None) -> Classes:
    """The classes in a file, by default those that ship with testbedctl.

    Raises ``InvalidFile`` with every place that is wrong.
    """
    document = read_document(path or data_dir("profiles") / "classes.yaml")
    _refuse_other_kind(document, "classes")
    return _checked(document, "classes", Classes, [])


def load_any(path: str | Path) -> Resolution | Profile | Classes:
    """The testbed, stress profile or classes in a file, told apart by its keys.

    Raises ``InvalidFile`` with every place that is wrong, also if it looks like none of them.
    """
    document = read_document(Path(path))
    kind = _kind_of(document)
    if kind == "classes":
        return _checked(document, kind, Classes, [])
    return _testbed(document) if kind == "testbed" else _profile(document)


def find(ref: str | Path, kind: Kind) -> Path:
    """The path behind a reference: a file if there is one or if it looks like one, else a shipped name.

    Raises ``UsageError`` naming what ships if there is no such name.
    """
    path = Path(ref)
    if isinstance(ref, Path) or not re.fullmatch(NAME_PATTERN, ref) or path.is_file():
        return path
    folder = data_dir("profiles") / _FOLDERS[kind]
    shipped = sorted(file.stem for file in folder.glob("*.yaml"))
    if ref in shipped:
        return folder / f"{ref}.yaml"
    raise UsageError(
        f"there is no file {quote(ref)} and no {_WORDS[kind]} of that name{did_you_mean(ref, shipped)}",
        hint=f"give a file, or one of those that ship with testbedctl: {listed(shipped)}",
    )


def find_any(ref: str) -> Path:
    """The same for a file of any kind; a testbed comes first.

    Raises ``UsageError`` naming what ships if there is no such name.
    """
    path = Path(ref)
    if not re.fullmatch(NAME_PATTERN, ref) or path.is_file():
        return path
    files = [f for kind in _FOLDERS for f in sorted((data_dir("profiles") / _FOLDERS[kind]).glob("*.yaml"))]
    files.append(data_dir("profiles") / "classes.yaml")
    if shipped := next((file for file in files if file.stem == ref), None):
        return shipped
    known = [file.stem for file in files]
    raise UsageError(
        f"there is no file {quote(ref)}, and no testbed, stress profile or classes file of that name"
        f"{did_you_mean(ref, known)}",
        hint=f"give a file, or one of those that ship with testbedctl: {listed(known)}",
    )


def _testbed(document: Document) -> Resolution:
    classes = document.data.get("classes")
    path = Path(document.file).parent / classes if isinstance(classes, str) else None
    places = _places(document, faults_of(document.data))
    if path is not None and not _is_file(path):
        places.append(document.place(("classes",), f"there is no file {quote(classes)}"))
    written = _checked(document, "testbed", WrittenTestbed, places)
    resolution, faults = resolve(written, load_classes(path))
    if faults:
        raise _invalid(document.file, "testbed", _places(document, faults))
    return resolution


def _places(document: Document, faults: Iterable[Fault]) -> list[Place]:
    return [document.place(fault.path, fault.text, at_key=fault.at_key) for fault in faults]


def _profile(document: Document) -> Profile:
    pcap = document.data.get("pcap")
    if not isinstance(pcap, str):
        return _checked(document, "profile", Profile, [])
    capture = (Path(document.file).parent / pcap).absolute()
    missing = [] if _is_file(capture) else [document.place(("pcap",), f"there is no file {quote(pcap)}")]
    profile = _checked(document, "profile", Profile, missing)
    return profile.model_copy(update={"pcap": str(capture)})


def _checked(document: Document, kind: Kind, model: type[_Model], places: list[Place]) -> _Model:
    """Validate a document; ``places`` and every error of syntax and model go into one ``InvalidFile``."""
    found = document.faults + places
    try:
        valid = model.model_validate(document.data, strict=True)
    except ValidationError as error:
        found += places_of(error, document, json_schema(kind))
        raise _invalid(document.file, kind, found) from None
    if found:
        raise _invalid(document.file, kind, found)
    return valid


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name of thousands of characters, a directory that may not be read
        return False


def _kind_of(document: Document) -> Kind:
    scores = _likeness(document)
    if not any(scores.values()):
        message = "no testbed (services, hosts, switches), stress profile (shape) or classes file (limits)"
        raise InvalidFile(
            f"{document.file} is of no kind that testbedctl knows",
            places=[document.place((), message)],
            hint="`testbedctl init` writes examples to start from",
        )
    return max(scores, key=lambda kind: scores[kind])


def _refuse_other_kind(document: Document, wanted: Kind) -> None:
    """One clear line for a file of the other kind, instead of an error for each of its keys."""
    scores = _likeness(document)
    likely = max(scores, key=lambda kind: scores[kind])
    if scores[likely] > scores[wanted]:
        message = f"this looks like a {_WORDS[likely]}; a {_WORDS[wanted]} is needed here"
        raise InvalidFile(f"{document.file} is no {_WORDS[wanted]}", places=[document.place((), message)])


def _likeness(document: Document) -> dict[Kind, int]:
    """How many keys of the document only one kind of file has; a near miss counts too."""
    keys = {kind: set(model.model_fields) for kind, model in MODELS.items()}
    common = {key for kind in keys for key in keys[kind] if sum(key in other for other in keys.values()) > 1}
    own = [key for key in list(document.data)[:100] if key not in common]
    return {kind: sum(nearest(key, keys[kind] - common) is not None for key in own) for kind in MODELS}


def _invalid(file: str, kind: Kind, places: list[Place]) -> InvalidFile:
    """One error of all places, in the order of the file; a place that aliases reach twice is told once."""
    kept = sorted(_distinct(places), key=lambda place: (place.line, place.column))
    count = f"{len(kept)} errors" if len(kept) != 1 else "an error"
    rest = f"; the first {_MOST_PLACES} are shown" if len(kept) > _MOST_PLACES else ""
    return InvalidFile(
        f"{_WORDS[kind]} {file} has {count}{rest}",
        places=kept[:_MOST_PLACES],
        hint=f"`testbedctl schema {kind}` prints everything that is allowed",
    )


def _distinct(places: list[Place]) -> Iterator[Place]:
    seen: set[tuple[int, int, str]] = set()
    for place in places:
        # the path in front differs where an alias is used twice, the words after it do not
        what = (place.line, place.column, place.message.partition(": ")[2] or place.message)
        if what not in seen:
            seen.add(what)
            yield place
