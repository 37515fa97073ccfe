"""Writes a classes file."""

from __future__ import annotations

import io
from pathlib import Path

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.records.files import write_bytes
from testbedctl.spec.classes import Classes
from testbedctl.spec.loader import load_classes

_HEAD = """\
# Written by `testbedctl classify fit`. From the data: limits, resources of the types, `fitted`. As before the
# fit: bandwidths, domains and slices. A testbed uses this file with `classes: FILE`.
"""


def classes_text(classes: Classes) -> str:
    """The file as YAML, which ``load_classes`` reads back as the same classes."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 120
    text = io.StringIO(newline="\n")
    yaml.dump(classes.model_dump(mode="json", exclude_none=True), text)
    return _HEAD + text.getvalue()


def check_place(path: Path) -> None:
    """Raises UsageError if something stands at ``path`` that is no classes file."""
    if not path.exists():
        return
    try:
        load_classes(path)
    except InvalidFile:
        raise UsageError(
            f"{path} exists and is not a classes file", hint="give another file with --output"
        ) from None


def write_classes(classes: Classes, path: Path) -> None:
    """Write the file whole or not at all. Raises RunFailed if it cannot be written."""
    write_bytes(path, classes_text(classes).encode())
