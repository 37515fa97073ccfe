"""Where traces come from: one CSV, a folder of them, or the archive's zip."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.dataset.archive import opened_archive

BLOCK_BYTES = 16 * 2**20
"""What is held of a file at a time. Rows are sorted within a block."""

HEAD_BYTES = 8 * 2**10

_DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What reading a file, or a member of a zip, can raise."""


@dataclass(frozen=True)
class TraceFile:
    """One VM's file: the VM, the name by which faults call it (from what is imported on, without the folders
    above), its size in bytes, and how it is opened."""

    vm: str
    name: str
    size: int
    open: Callable[[], IO[bytes]]

    def head(self) -> str:
        """The first whole lines."""
        with self._reading() as stream:
            data = stream.read(HEAD_BYTES)
            whole = data if len(data) < HEAD_BYTES else data[: data.rfind(b"\n") + 1]
        return whole.decode("utf-8", errors="replace")

    def blocks(self) -> Iterator[bytes]:
        """All lines below the header, in blocks of whole lines.

        Raises InvalidFile for a damaged file, one that holds more than it declares, and an endless line.
        """
        with self._reading() as stream:
            rest = b""
            begun, done = False, 0
            while data := stream.read(BLOCK_BYTES):
                done += len(data)
                if done > self.size:
                    raise InvalidFile(f"{self.name} holds more than the {self.size} bytes that it declares")
                data = rest + data
                cut = data.rfind(b"\n") + 1
                whole, rest = data[:cut], data[cut:]
                if len(rest) > BLOCK_BYTES:
                    raise InvalidFile(f"{self.name} has a line of more than {BLOCK_BYTES} bytes")
                if whole and not begun:
                    begun, whole = True, whole[whole.index(b"\n") + 1 :]
                if whole:
                    yield whole
            if rest and begun:
                yield rest

    @contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        try:
            with self.open() as stream:
                yield stream
        except _DAMAGED as error:
            raise InvalidFile(f"{self.name} cannot be read: {error}", hint="fetch it again") from error


@dataclass(frozen=True)
class Source:
    """The files of an import in the order of their VMs, and what was passed over."""

    files: Sequence[TraceFile]
    passed_over: Sequence[str]


@contextmanager
def opened_source(path: Path) -> Iterator[Source]:
    """The traces in ``path``. A VM is called by its file's path below what all have in common.

    Raises UsageError if there is no CSV or a folder may not be entered, InvalidFile for an unfit zip, for two
    files of one VM, and for names that are not UTF-8.
    """
    try:
        folder, file = path.is_dir(), path.is_file()
    except OSError as error:
        _refuse(error)
    _check_utf8([path.resolve().name])
    if folder:
        yield _source(path, _files(path))
    elif not file:
        raise UsageError(f"there is no file or folder {path}")
    elif zipfile.is_zipfile(path) or path.suffix.lower() == ".zip":
        with opened_archive(path) as (archive, members):
            yield _source(path, {info.filename: (info.file_size, _member(archive, info)) for info in members})
    else:
        yield Source([TraceFile(path.stem, path.name, path.stat().st_size, _opener(path))], [])


def _files(folder: Path) -> dict[str, tuple[int, Callable[[], IO[bytes]]]]:
    """Size and opener of each file in a folder and those below, all of which must be open to us."""
    try:
        walk = os.walk(folder, onerror=_refuse)
        found = [file for at, _, names in walk for name in names if (file := Path(at, name)).is_file()]
        return {str(file.relative_to(folder)): (file.stat().st_size, _opener(file)) for file in found}
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error


def _check_utf8(names: Sequence[str]) -> None:
    """Other names come from the system with surrogates in them, which no file of ours can hold."""
    if wrong := [name for name in names if name != _shown(name)]:
        raise InvalidFile(
            f"names that are not UTF-8: {', '.join(map(_shown, wrong[:5]))}", hint="rename them"
        )


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _source(path: Path, files: dict[str, tuple[int, Callable[[], IO[bytes]]]]) -> Source:
    traces = [name for name in files if _is_trace(PurePosixPath(name))]
    if not traces:
        raise UsageError(
            f"{path} has no .csv file", hint="give the archive's zip, its folder, or one of its files"
        )
    _check_utf8(traces)
    vms = _vm_names(traces)
    if twice := sorted({vm for vm in vms if vms.count(vm) > 1}):
        raise InvalidFile(f"{path} has more than one file of the VM {', '.join(twice)}")
    root = path.resolve().name
    ordered = sorted(zip(vms, traces, strict=True))
    return Source(
        [TraceFile(vm, f"{root}/{name}", *files[name]) for vm, name in ordered],
        sorted(map(_shown, set(files) - set(traces))),
    )


def _is_trace(name: PurePosixPath) -> bool:
    """Files whose name begins with a dot are what other systems leave in archives."""
    return name.suffix.lower() == ".csv" and not name.name.startswith(".")


def _vm_names(names: Sequence[str]) -> list[str]:
    common = os.path.commonpath([str(PurePosixPath(name).parent) for name in names])
    below = [PurePosixPath(name).relative_to(common or ".") for name in names]
    return [str(name.with_suffix("")) for name in below]


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(info)
