"""The support bundle: what another person needs to understand a failure, and nothing private."""

from __future__ import annotations

import io
import os
import re
import socket
import tarfile
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

from testbedctl.errors import RunFailed, UsageError
from testbedctl.host import paths
from testbedctl.units import MIB

SECRET_NAMES = ("*token*", "*secret*", "*password*", "*credential*", "*.key", "*.pem")
"""Files that never enter a bundle; what they hold is also removed from the files that do."""

KEPT_SUFFIXES = {".json", ".jsonl", ".log", ".txt", ".yaml", ".yml"}
TAIL_BYTES = MIB
"""Of a longer file only its end is taken."""

_WORD = r"token|secret|password|passwd|authorization|api[_-]?key|private[_-]?key"
_PATTERNS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [removed]"),
    (
        re.compile(
            rf"(?i)([\w-]*(?:{_WORD})[\w-]*[\"']?\s*[:=]\s*[\"']?)(?!\s*(?:bearer|basic) )[^\s\"',}}]+"
        ),
        r"\1[removed]",
    ),
    (re.compile(rf"(?i)(--[\w-]*(?:{_WORD})[\w-]*[\s\"',]+)[^\s\"',]+"), r"\1[removed]"),
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), r"\1[removed]@"),
    (re.compile(r"\b[0-9a-fA-F]{32,}\b"), "[removed]"),
    (re.compile(r"/(home|Users)/[^/\s\"':,]+"), r"/\1/USER"),
)


def write(output: Path, documents: Mapping[str, str], lab: str | None, runs: Path) -> list[str]:
    """Write ``output`` (tar.gz, for its owner only) and return the names of its members.

    It holds ``documents`` (name → text), the records and logs of ``lab`` (of every lab if None) and the
    manifest of the newest run under ``runs``. Raises ``UsageError`` for an unknown lab or a file in the way.
    """
    labs = [_lab_directory(lab)] if lab else sorted(p for p in _directories(paths.state_root()))
    secrets = [s for each in labs for s in _secret_values(each)]
    members = {name: text.encode() for name, text in documents.items()}
    for directory in labs:
        members |= {f"labs/{name}": data for name, data in _files(directory)}
    members |= dict(_newest_manifest(runs))
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{output} exists", hint="name another file with --output") from error
    except OSError as error:
        raise RunFailed(f"cannot write {output}: {error.strerror}") from error
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in members.items():
            _add(archive, f"testbedctl-support/{name}", scrub(data.decode(errors="replace"), secrets))
    return list(members)


def scrub(text: str, secrets: list[str]) -> str:
    """``text`` without ``secrets``, credentials, home directories, the user's and the machine's name."""
    for secret in secrets:
        text = text.replace(secret, "[removed]")
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    for private, stand_in in _private_words():
        text = re.sub(rf"(?<![\w-]){re.escape(private)}(?![\w-])", stand_in, text)
    return text


def _private_words() -> Iterator[tuple[str, str]]:
    home = os.environ.get("HOME", "")
    if len(home) > 1:
        yield home, "~"
    yield str(Path.cwd()), "CWD"
    for variable in ("SUDO_USER", "USER", "LOGNAME"):
        user = os.environ.get(variable)
        if user and user != "root":
            yield user, "USER"
    yield socket.gethostname(), "HOST"


def _lab_directory(lab: str) -> Path:
    known = {p.name: p for p in _directories(paths.state_root())}
    if lab not in known:
        raise UsageError(
            f"no lab {lab!r} under {paths.state_root()}", hint=f"known: {', '.join(sorted(known)) or 'none'}"
        )
    return known[lab]


def _directories(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (
            p for p in root.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith(".")
        )


def _is_secret(file: Path) -> bool:
    return any(fnmatch(file.name.lower(), pattern) for pattern in SECRET_NAMES)


def _regular_files(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        yield from (p for p in sorted(directory.rglob("*")) if p.is_file() and not p.is_symlink())


def _secret_values(directory: Path) -> Iterator[str]:
    for place in (directory, paths.runtime_dir(directory.name)):
        for file in filter(_is_secret, _regular_files(place)):
            words = file.read_text(errors="replace").split()
            yield from (word for word in words if len(word) >= 6)


def _files(directory: Path) -> Iterator[tuple[str, bytes]]:
    for file in _regular_files(directory):
        if file.suffix in KEPT_SUFFIXES and not _is_secret(file):
            yield f"{directory.name}/{file.relative_to(directory)}", _tail(file)


def _newest_manifest(runs: Path) -> Iterator[tuple[str, bytes]]:
    manifests = sorted(runs.glob("*/manifest.json"), key=lambda file: file.parent.name)
    if manifests:
        yield f"runs/{manifests[-1].parent.name}/manifest.json", manifests[-1].read_bytes()


def _tail(file: Path) -> bytes:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
        return stream.read()


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(data), int(time.time()), 0o600
    archive.addfile(member, io.BytesIO(data))
