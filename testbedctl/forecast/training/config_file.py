"""A training's configuration from a YAML file and from options, which win."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.training.config import TrainingConfig
from testbedctl.spec.document import read_document
from testbedctl.spec.explain import places_of
from testbedctl.spec.quoting import did_you_mean, listed, quote
from testbedctl.spec.testbed import NAME_PATTERN


def configuration(ref: str | Path | None, given: dict[str, Any]) -> TrainingConfig:
    """The configuration that ``find_config`` finds, or the default one, with what was ``given`` in its place.

    Raises ``InvalidFile`` with every place of the file that is wrong, ``UsageError`` for what was given.
    """
    written = load_config(find_config(ref)) if ref else TrainingConfig()
    try:
        return TrainingConfig.model_validate({**written.model_dump(), **given})
    except ValidationError as error:
        found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise UsageError(
            f"this training cannot be done: {'; '.join(found)}",
            hint="`testbedctl forecast train --help` shows what it takes",
        ) from None


def find_config(ref: str | Path) -> Path:
    """The path behind a reference: a file if there is one or if it looks like one, else a shipped name.

    Raises ``UsageError`` naming what ships if there is no such name.
    """
    path = Path(ref)
    if isinstance(ref, Path) or not re.fullmatch(NAME_PATTERN, ref) or path.is_file():
        return path
    folder = data_dir("profiles") / "forecast"
    shipped = sorted(file.stem for file in folder.glob("*.yaml"))
    if ref in shipped:
        return folder / f"{ref}.yaml"
    raise UsageError(
        f"there is no file {quote(ref)} and no configuration of that name{did_you_mean(ref, shipped)}",
        hint=f"give a file, or one of those that ship with testbedctl: {listed(shipped)}",
    )


def load_config(path: Path) -> TrainingConfig:
    """The configuration in a YAML file. Raises ``InvalidFile`` with every place that is wrong."""
    document = read_document(path)
    data = dict(document.data)
    if isinstance(data.get("quantiles"), list):
        data["quantiles"] = tuple(data["quantiles"])
    places, config = list(document.faults), None
    try:
        config = TrainingConfig.model_validate(data, strict=True)
    except ValidationError as error:
        places += places_of(error, document, TrainingConfig.model_json_schema())
    if config is None or places:
        raise InvalidFile(
            f"{path} is not the configuration of a training",
            places=places,
            hint="its keys are " + ", ".join(TrainingConfig.model_fields),
        )
    return config
