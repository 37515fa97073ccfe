"""The spaces that ship, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.models.registry import MODELS, build
from testbedctl.forecast.search.space import load_space, shipped_space

SHIPPED = sorted(file.stem for file in (data_dir("profiles") / "search").glob("*.yaml"))
GOOD = "base: {model: lstm, epochs: 9}\nparameters:\n  learning_rate: {low: 0.001, high: 0.01}\n"


def test_the_papers_models_have_a_space() -> None:
    assert {"lstm", "transformer"} <= set(SHIPPED) <= set(MODELS)


@pytest.mark.parametrize("model", SHIPPED)
def test_every_end_of_a_shipped_space_builds_a_model(model: str) -> None:
    space = shipped_space(model)
    assert space.base.model == model
    for end in (0, 1):
        values = {name: parameter.ends()[end] for name, parameter in space.parameters.items()}
        config = space.configuration(values)
        build(config.model, config.window, config.horizon, config.quantiles, **config.options)


def test_the_space_of_section_7_is_searched() -> None:
    """Learning rate, layers with their neurons, filters and kernel sizes, heads and head size."""
    lstm, transformer = (shipped_space(name).parameters for name in ("lstm", "transformer"))
    assert {"learning_rate", "options.cells", "options.dense"} <= set(lstm)
    assert {
        "learning_rate", "options.heads", "options.head_size", "options.filters", "options.kernel",
        "options.blocks", "options.dense",
    } <= set(transformer)  # fmt: skip


def test_a_model_without_a_space_is_told_which_have_one() -> None:
    with pytest.raises(UsageError, match="no space ships for the model 'lstn'") as error:
        shipped_space("lstn")
    assert "lstm" in str(error.value.hint)


def test_what_is_proposed_lies_within() -> None:
    space = shipped_space("lstm")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        trial = study.ask()
        config = space.suggest(trial)
        assert 1e-4 <= config.learning_rate <= 1e-2
        assert config.window in (3, 6, 12, 24)
        assert config.options["cells"] % 8 == 0
        assert isinstance(config.options["dense"], list)
        assert space.configuration(space.decoded(trial.params)) == config


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (GOOD.replace("learning_rate", "learning_rat"), "no training has this key"),
        (GOOD.replace("low: 0.001", "low: 0.1"), "'low' (0.1) is not below 'high' (0.01)"),
        (GOOD.replace("low: 0.001, high: 0.01", "low: 0.001"), "give 'choices', or 'low' and 'high'"),
        (GOOD.replace("high: 0.01", "high: 0.01, choices: [1]"), "'choices' stands alone"),
        (GOOD.replace("high: 0.01", "high: 0.01, step: 0.001, log: true"), "'log' takes no 'step'"),
        (GOOD.replace("high: 0.01", "high: 0.01, step: 0"), "'step' is above 0"),
        (GOOD.replace("high: 0.01", "high: 7"), "7: Input should be less than or equal to 1"),
        (GOOD.replace("high: 0.01", "hihg: 0.01"), "did you mean 'high'"),
        (GOOD.replace("epochs: 9", "epochs: none"), "base.epochs"),
        ("parameters: {}\n", "the key 'base' is missing"),
        (GOOD + "  window: {low: 1, high: 4, step: 0.5}\n", "parameters.window: 'step' is whole"),
        (
            GOOD + "  options.cels: {low: 8, high: 16}\n",
            "options.cels: 8: the model lstm has no option 'cels'",
        ),
        (GOOD + "  options.dense: {choices: [[4], [-1], [6]]}\n", "parameters.options.dense: [-1]: "),
        (GOOD.replace("epochs: 9", "options: {cels: 8}"), "base: the model lstm has no option 'cels'"),
        (GOOD.replace("lstm", "lstn"), "did you mean 'lstm'"),
        (GOOD.replace("epochs: 9", "train_share: 0.9"), "base.train_share: at most 0.8"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, written: str, message: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(written)
    with pytest.raises(InvalidFile) as error:
        load_space(path)
    assert any(message in str(place) for place in error.value.places), error.value.places


@pytest.mark.parametrize(
    "written",
    [
        "model: {choices: [lstm, transformer]}",
        "horizon: {low: 1, high: 6}",
        "scaling: {choices: [per-vm, none]}",
        "quantiles: {choices: [[], [0.9]]}",
        "train_share: {low: 0.5, high: 0.8}",
        "validation_share: {low: 0.1, high: 0.3}",
        "seed: {low: 0, high: 9}",
    ],
)
def test_what_the_loss_measures_is_not_searched(tmp_path: Path, written: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(f"{GOOD}  {written}\n")
    with pytest.raises(InvalidFile) as error:
        load_space(path)
    (place,) = error.value.places
    assert place.line == 4
    assert "decides what the loss measures" in place.message
