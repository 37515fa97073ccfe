"""A training's configuration in YAML."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from unit.cli.program import ROOT

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.training.config import TrainingConfig
from testbedctl.forecast.training.config_file import configuration, load_config


def written(directory: Path, text: str) -> Path:
    file = directory / "training.yaml"
    file.write_text(text)
    return file


def test_without_anything_it_is_the_papers(tmp_path: Path) -> None:
    config = configuration(None, {})
    assert config == TrainingConfig() == configuration(written(tmp_path, "model: lstm\n"), {})
    assert (config.window, config.horizon, config.patience, config.train_share) == (3, 1, 10, 0.8)


def test_the_documented_file_names_every_key_with_its_default(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "explanation" / "forecasting.md").read_text(encoding="utf-8")
    block = page[page.index("    model: lstm") : page.index("An epoch of all")]
    config = load_config(written(tmp_path, dedent(block)))
    assert config == TrainingConfig()
    assert config.model_fields_set == set(TrainingConfig.model_fields)


def test_what_is_given_wins_over_the_file(tmp_path: Path) -> None:
    text = "model: transformer\nwindow: 12\nquantiles: [0.5, 0.9]\noptions: {heads: 2, dense: [8, 8]}\n"
    config = configuration(written(tmp_path, text), {"window": 6, "scaling": "global"})
    assert (config.model, config.window, config.scaling) == ("transformer", 6, "global")
    assert config.quantiles == (0.5, 0.9)
    assert config.options == {"heads": 2, "dense": [8, 8]}


def test_a_shipped_configuration_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = sorted((ROOT / "profiles" / "forecast").glob("*.yaml"))
    assert {file.stem for file in shipped} >= {"change", "testbed"}
    for file in shipped:
        assert configuration(file.stem, {}) == load_config(file)
    written(tmp_path, "window: 7\n").rename("change")  # a file here comes before what ships
    assert configuration("change", {}).window == 7


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="did you mean 'testbed'") as raised:
        configuration("tesbed", {})
    assert "change, testbed" in str(raised.value.hint)
    with pytest.raises(InvalidFile, match=r"nowhere\.yaml"):
        configuration("nowhere.yaml", {})


def test_every_error_of_the_file_is_told_with_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, "windw: 3\nepochs: 0\nscaling: per-host\nquantiles: [0.9, 0.5]\nseed: '7'\n")
    with pytest.raises(InvalidFile, match="not the configuration of a training") as raised:
        load_config(file)
    told = {place.line: place.message for place in raised.value.places}
    assert sorted(told) == [1, 2, 3, 4, 5]
    assert "did you mean 'window'" in told[1]
    assert "from 1 to 10 000" in told[2]
    assert "per-vm" in told[3]
    assert "quantiles ascend" in told[4]
    assert "'7'" in told[5]


@pytest.mark.parametrize("text", ["", "- lstm\n", "model: [\n"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidFile):
        load_config(written(tmp_path, text))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"horizon": 31}, "horizon: "),
        ({"quantiles": (0.9, 0.5)}, "quantiles: .*ascend"),
        ({"quantiles": (0.5, 0.5)}, "quantiles: .*ascend"),
        ({"quantiles": (1.0,)}, "quantiles.0: "),
        ({"window": 1001}, "window: "),
    ],
)
def test_what_cannot_be_is_a_usage_error(given: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        configuration(None, given)
