"""Models by name."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from unit.cli.program import environment

from testbedctl.errors import HostUnfit, UsageError
from testbedctl.forecast.models.registry import MODELS, build
from testbedctl.forecast.training import torch_there

NO_TORCH = "torch is not installed: pip install 'testbedctl[train]'"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="'lstn'; did you mean 'lstm'") as raised:
        build("lstn", 3, 1)
    assert all(name in str(raised.value.hint) for name in MODELS)


def test_options_reach_the_model() -> None:
    pytest.importorskip("torch", reason=NO_TORCH)
    model: Any = build("lstm", 3, 1, cells=7, dense=[5])
    assert model.recurrent.hidden_size == 7
    assert model.dense.layers[0].out_features == 5


def test_an_unknown_option_is_refused_with_those_that_there_are() -> None:
    pytest.importorskip("torch", reason=NO_TORCH)
    with pytest.raises(UsageError, match="no option 'cell'") as raised:
        build("lstm", 3, 1, cell=7)
    assert raised.value.hint == "its options are cells, dense, dropout"


@pytest.mark.parametrize("options", [{"cells": "many"}, {"dropout": 2.0}, {"dense": 5}, {"cells": -1}])
def test_an_option_that_no_layer_can_have_is_a_usage_error(options: dict[str, Any]) -> None:
    pytest.importorskip("torch", reason=NO_TORCH)
    with pytest.raises(UsageError, match="the model lstm cannot be built"):
        build("lstm", 3, 1, **options)


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_the_papers_models_have_no_quantiles(name: str) -> None:
    pytest.importorskip("torch", reason=NO_TORCH)
    with pytest.raises(UsageError, match="has no quantiles"):
        build(name, 3, 1, (0.5, 0.9))


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_there, "find_spec", lambda _: None)
    with pytest.raises(HostUnfit, match="torch is not installed") as raised:
        build("lstm", 3, 1)
    assert "pip install 'testbedctl[train]'" in (raised.value.hint or "")


def test_names_and_baselines_are_known_without_torch() -> None:
    program = (
        "import sys, testbedctl.forecast.models.registry, testbedctl.forecast.models.baselines, "
        "testbedctl.forecast.training.trainer; sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment(), timeout=60, check=False)
    assert done.returncode == 0
