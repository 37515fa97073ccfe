"""An archive's zip: looked over before a byte of it is used, read in place, never unpacked to the disk."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from testbedctl.errors import InvalidFile, Place

MAX_BYTES = 64 * 2**30
"""What all files of an archive may hold together: ten times the three traces of GWA-T-13."""

MAX_RATIO = 200
"""How many times larger than the archive its files may be. The archive's own zips have a ratio of 9."""


@contextmanager
def opened_archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """An archive and the files in it.

    Raises InvalidFile for one that is damaged, encrypted or a bomb, and for names that lead out of it.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InvalidFile(f"{path} is no zip that can be read: {error}", hint="fetch it again") from error
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        _check_names(path, members)
        _check_sizes(path, members)
        yield archive, members


def _check_names(path: Path, members: list[zipfile.ZipInfo]) -> None:
    wrong = [Place(str(path), 1, 1, told) for info in members if (told := _unsafe(info))]
    if wrong:
        raise InvalidFile(
            f"{path} holds {len(wrong)} files that are not read",
            places=wrong[:20],
            hint="unpack it yourself if you trust it, and import the folder",
        )


def _unsafe(info: zipfile.ZipInfo) -> str | None:
    name = info.filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts:
        return f"{name!r} names no file"
    if ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0]:
        return f"{name!r} leads out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return f"{name!r} is a link"
    if info.flag_bits & 1:
        return f"{name!r} is encrypted"
    return None


def _check_sizes(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """What the members declare; what they really hold is counted while they are read."""
    total, packed = sum(info.file_size for info in members), path.stat().st_size
    if total > MAX_BYTES or total > MAX_RATIO * packed:
        raise InvalidFile(
            f"{path} has {packed} bytes and would unpack to {total}: that is a bomb and no trace",
            hint=f"at most {MAX_BYTES} bytes and {MAX_RATIO} times the archive are read; "
            "unpack it yourself if you trust it, and import the folder",
        )
