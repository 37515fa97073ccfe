"""Files of a run: written whole or not at all, and read with an error that names the file."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from testbedctl.errors import InvalidFile, Place, RunFailed

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

FULL_DISK_HINT = "free some space, or write to another disk; what was there before is kept"


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never half of it.

    Raises RunFailed when the disk is full or cannot be written.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise cannot_write(path, error) from error


def append_line(path: Path, line: str) -> None:
    """Append one line and hand it to the kernel. Raises RunFailed when the disk is full."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    except OSError as error:
        raise cannot_write(path, error) from error


def make_directory(path: Path) -> None:
    """Make a directory that must not exist yet, its parents as needed."""
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def sync_directory(path: Path) -> None:
    """Make a rename in ``path`` survive a crash of the machine."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> RunFailed:
    """The error for a file that could not be written."""
    return RunFailed(f"cannot write {path}: {error.strerror or error}", hint=FULL_DISK_HINT)


def json_text(document: object, *, indent: int | None = None) -> str:
    """JSON of a record. Raises RunFailed for NaN and infinity, which JSON does not have."""
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError as error:
        raise RunFailed(f"a record holds a value that is not a number: {error}") from error


def read_text(path: Path) -> str:
    """The text of a file. Raises InvalidFile naming it when it is missing or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidFile(f"{path} is missing", hint="the run directory is incomplete") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}") from error


def parse_json(text: str, path: Path, *, first_line: int = 1) -> object:
    """The document in ``text``. Raises InvalidFile with the place of the damage."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = Place(str(path), first_line + error.lineno - 1, error.colno, error.msg)
        raise InvalidFile(f"{path} is damaged or truncated", places=[place]) from error
    except ValueError as error:
        raise InvalidFile(f"{path} is damaged: {error}") from error


def parse_record(model: type[Model], document: object, path: Path) -> Model:
    """``document`` as ``model``. Raises InvalidFile naming the file and each wrong key."""
    from pydantic import ValidationError

    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in error.errors()]
        raise InvalidFile(f"{path} does not follow the run format: {'; '.join(found)}") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number")
