"""Files of a model: written whole or not at all, and read without running what is in them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from testbedctl.errors import InvalidFile, RunFailed
from testbedctl.records.files import write_bytes


def write_whole(path: Path, data: bytes) -> None:
    """Write a file of a model whole or not at all. Raises ``RunFailed`` when the disk is full."""
    try:
        write_bytes(path, data)
    except RunFailed as error:
        raise RunFailed(
            error.message, hint="free some space and give the same command again; what was there is kept"
        ) from error


def packed(state: object) -> bytes:
    """What torch's file holds of tensors and plain values."""
    import torch

    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


def unpacked(data: bytes, file: Path) -> Any:
    """The tensors and plain values in ``data``, nothing that runs. Raises ``InvalidFile`` naming ``file``."""
    import torch

    try:
        return torch.load(io.BytesIO(data), weights_only=True)
    except Exception as error:  # torch raises errors of many kinds for a damaged file
        raise InvalidFile(f"{file} is damaged or truncated: {error}", hint=f"remove {file}") from error
