"""The files that a new lab starts from."""

from __future__ import annotations

import re

from testbedctl.data import data_dir
from testbedctl.spec.schema import Kind, schema_text

_EXAMPLES: tuple[tuple[Kind, str], ...] = (
    ("testbed", "testbeds/slice-sharing.yaml"),
    ("profile", "stress/quick.yaml"),
)
_SCHEMA_LINE = re.compile(r"^(# yaml-language-server: \$schema=).*$", re.MULTILINE)


def starter_files() -> dict[str, str]:
    """File names and their text: the default testbed, the quick profile, and the schema of each.

    The first line of each YAML file names the schema beside it, which is what editors read.
    """
    files: dict[str, str] = {}
    for kind, example in _EXAMPLES:
        path = data_dir("profiles") / example
        files[path.name] = _SCHEMA_LINE.sub(rf"\g<1>{kind}.schema.json", path.read_text(encoding="utf-8"))
        files[f"{kind}.schema.json"] = schema_text(kind)
    return files
