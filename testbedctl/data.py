"""Where the shipped files are: profiles and templates, in a checkout or inside the installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_dir(name: str) -> Path:
    """The directory ``profiles`` or ``vnx_templates``: the wheel's copy, or the checkout's own."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
