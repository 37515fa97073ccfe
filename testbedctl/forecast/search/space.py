"""What a search may choose from: a YAML file with a base configuration and a range for each parameter.

One ships for each model (``profiles/search``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile, Place, UsageError
from testbedctl.forecast.evaluation.contender import TRAIN_SHARE
from testbedctl.forecast.models.registry import build
from testbedctl.forecast.training.config import TrainingConfig
from testbedctl.spec.document import Document, read_document
from testbedctl.spec.explain import places_of

if TYPE_CHECKING:
    import optuna

_OPTION = "options."
_FIXED = ("model", "horizon", "scaling", "quantiles", "train_share", "validation_share", "seed")
"""Keys that decide what the loss measures: the losses of trials that differ in one cannot be compared."""


_Key = Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)?$")]


class Parameter(BaseModel):
    """Either ``choices``, or numbers from ``low`` to ``high``: whole ones if both are. ``log`` draws their
    order of magnitude; ``step`` draws multiples of it above ``low``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    choices: Annotated[tuple[Any, ...], Field(description="values of any kind")] = ()
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False

    def fault(self) -> str:
        """What is wrong with it in itself, or ""."""
        bounds = (self.low, self.high)
        if self.choices:
            return "'choices' stands alone" if bounds != (None, None) or self.step or self.log else ""
        if self.low is None or self.high is None:
            return "give 'choices', or 'low' and 'high'"
        if not self.low < self.high:
            return f"'low' ({self.low}) is not below 'high' ({self.high})"
        if self.log and (self.step is not None or self.low <= 0):
            return "'log' takes no 'step', and its 'low' is above 0"
        if self.step is not None and not self.step > 0:
            return "'step' is above 0"
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        return "'step' is whole between whole numbers" if whole and (self.step or 0) % 1 else ""

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        """The value that Optuna's sampler proposes."""
        if self.choices:  # as JSON, since a storage keeps no lists
            return json.loads(trial.suggest_categorical(name, [json.dumps(each) for each in self.choices]))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, step=int(self.step or 1), log=self.log)
        return trial.suggest_float(
            name, float(self.low or 0), float(self.high or 0), step=self.step, log=self.log
        )

    def ends(self) -> tuple[Any, Any]:
        """Two values between which all others are: the first and the last."""
        return (self.choices[0], self.choices[-1]) if self.choices else (self.low, self.high)


class Space(BaseModel):
    """``parameters`` are keys of ``TrainingConfig``, or ``options.`` and an option of the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: TrainingConfig
    parameters: Annotated[dict[_Key, Parameter], Field(min_length=1)]

    def configuration(self, values: Mapping[str, Any]) -> TrainingConfig:
        """The base with these values. Raises pydantic's ``ValidationError`` for one that cannot be."""
        document = self.base.model_dump()
        document["options"] = dict(document["options"])
        for name, value in values.items():
            if name.startswith(_OPTION):
                document["options"][name.removeprefix(_OPTION)] = value
            else:
                document[name] = value
        return TrainingConfig.model_validate(document)

    def decoded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a trial as the study keeps them, choices being JSON there."""
        return {
            name: json.loads(each) if self.parameters[name].choices else each for name, each in values.items()
        }

    def suggest(self, trial: optuna.Trial) -> TrainingConfig:
        """The configuration of a trial."""
        return self.configuration({name: each.suggest(trial, name) for name, each in self.parameters.items()})


def load_space(path: Path) -> Space:
    """The space in a YAML file.

    Raises ``InvalidFile`` with every place that is wrong: also a parameter that no configuration has or that
    decides what the loss measures, and a choice or an end of a range with which no model can be built;
    ``HostUnfit`` without torch.
    """
    document = read_document(path)
    try:
        space = Space.model_validate(document.data)
    except ValidationError as error:
        found = [*document.faults, *places_of(error, document, Space.model_json_schema())]
        raise _invalid(path, found) from None
    if places := [*document.faults, *_faults(space, document)]:
        raise _invalid(path, places)
    return space


def shipped_space(model: str) -> Space:
    """The space that ships for a model. Raises ``UsageError`` naming those that do."""
    folder = data_dir("profiles") / "search"
    shipped = sorted(file.stem for file in folder.glob("*.yaml"))
    if model not in shipped:
        raise UsageError(
            f"no space ships for the model {model!r}",
            hint=f"one ships for {', '.join(shipped)}; give a file of your own with --space",
        )
    return load_space(folder / f"{model}.yaml")


def _faults(space: Space, document: Document) -> list[Place]:
    """The base's own faults, else those of the parameters, each of which is tried with the base."""
    if space.base.train_share > TRAIN_SHARE:
        text = f"base.train_share: at most {TRAIN_SHARE:g}: models are judged on what follows"
        return [document.place(("base", "train_share"), text)]
    if text := _unbuildable(space.base):
        return [document.place(("base",), f"base: {text}", at_key=True)]
    places = []
    for name, parameter in space.parameters.items():
        if text := parameter.fault() or _refused_key(name) or _refused_value(space, name, parameter):
            places.append(document.place(("parameters", name), f"parameters.{name}: {text}", at_key=True))
    return places


def _refused_key(name: str) -> str:
    if name in _FIXED:
        return "this decides what the loss measures, so trials could not be compared; put it into 'base'"
    if name.startswith(_OPTION) or name in TrainingConfig.model_fields:
        return ""
    known = [key for key in TrainingConfig.model_fields if key not in (*_FIXED, "options")]
    return f"no training has this key; allowed: {', '.join(known)}, {_OPTION}…"


def _refused_value(space: Space, name: str, parameter: Parameter) -> str:
    for value in parameter.choices or parameter.ends():
        try:
            text = _unbuildable(space.configuration({name: value}))
        except ValidationError as error:
            text = error.errors()[0]["msg"]
        if text:
            return f"{value}: {text}"
    return ""


def _unbuildable(config: TrainingConfig) -> str:
    """Why there is no model of this configuration, or ""."""
    try:
        build(config.model, config.window, config.horizon, config.quantiles, **config.options)
    except UsageError as error:
        return f"{error.message}; {error.hint}"
    return ""


def _invalid(path: Path, places: list[Place]) -> InvalidFile:
    return InvalidFile(
        f"the search space {path} cannot be used",
        places=places,
        hint="it has a 'base' (a training configuration) and 'parameters' with 'choices' or 'low' and 'high'",
    )
