"""The paper's claims beside evaluations whose numbers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit.forecast.evaluation.contenders import evaluation

from testbedctl.errors import InvalidFile
from testbedctl.forecast.evaluation.claims import Verdict, load_fit, verdicts
from testbedctl.forecast.evaluation.result import Contestant, Judgement, StepError
from testbedctl.ports import RESOURCES
from testbedctl.spec.claims import load_claims


def row(name: str, mean: float, **about: Any) -> Contestant:
    error = StepError(ahead=1, rmse=dict.fromkeys(RESOURCES, mean), mean=mean, to_persistence=None)
    config = {"model": name.partition("-")[0], "options": about.pop("options", {})}
    plain: dict[str, Any] = {"kind": "model", "scaling": "per-vm", "window": 3, "horizon": 1, "seen": 1}
    return Contestant(name=name, errors=(error,), config=config, **{**plain, **about})


def judgement(*rows: Contestant, foreign: bool = False, units: str = "trace") -> Judgement:
    return Judgement(
        dataset="trace", sha256="1" * 64, step_s=300, units=units, foreign=foreign, vms=("a",),
        forecasts=10, window=3, horizon=1, train_share=0.8, contestants=rows,
    )  # fmt: skip


def told(*judgements: Judgement, fit: Any = None) -> dict[str, Verdict]:
    return {each.claim.quantity: each for each in verdicts(load_claims(), [evaluation(*judgements)], fit)}


BASE = row("persistence", 0.0385, window=1)


def test_a_value_inside_the_tolerance_is_reproduced() -> None:
    found = told(judgement(BASE, row("lstm", 0.0225), row("transformer", 0.0215)))
    assert found["rmse_lstm"].word == "reproduced"
    assert found["rmse_transformer"].word == "reproduced"
    assert found["rmse_lstm"].measured == 0.0225
    assert "scaled per VM, persistence 0.0385" in found["rmse_lstm"].remark


@pytest.mark.parametrize(
    ("lstm", "transformer", "word"),
    [(0.05, 0.06, "same direction"), (0.06, 0.05, "not reproduced")],
)
def test_outside_of_it_the_order_of_the_two_decides(lstm: float, transformer: float, word: str) -> None:
    found = told(judgement(BASE, row("lstm", lstm), row("transformer", transformer)))
    assert {found["rmse_lstm"].word, found["rmse_transformer"].word} == {word}


def test_one_model_alone_has_no_direction() -> None:
    found = told(judgement(BASE, row("lstm", 0.05)))
    assert found["rmse_lstm"].word == "not reproduced"
    assert found["rmse_transformer"].word == "not measured"


@pytest.mark.parametrize(
    "other",
    [row("lstm", 0.0189, window=6), row("lstm", 0.0189, scaling="global"),
     row("lstm", 0.0189, options={"cells": 80})],
)  # fmt: skip
def test_another_lstm_than_the_papers_says_nothing(other: Contestant) -> None:
    assert told(judgement(BASE, other))["rmse_lstm"].word == "not measured"


def test_a_foreign_trace_says_nothing() -> None:
    assert told(judgement(BASE, row("lstm", 0.0189), foreign=True))["rmse_lstm"].word == "not measured"


def test_it_is_said_where_a_model_has_learned_from_some_of_the_vms_alone() -> None:
    some = judgement(BASE, row("lstm", 0.02)).model_copy(update={"vms": ("a", "b")})
    assert told(some)["rmse_lstm"].remark.endswith("persistence 0.0385, 1 learned from")


@pytest.mark.parametrize(("units", "seen"), [("allotment", 1), ("trace", 0), ("trace", None)])
def test_other_data_than_the_models_own_trace_say_nothing(units: str, seen: int | None) -> None:
    pair = [row(name, 0.02, seen=seen, training_s=9, epochs=3) for name in ("lstm", "transformer")]
    found = told(judgement(BASE, *pair, units=units))
    for quantity in ("rmse_lstm", "rmse_transformer", "training_time_ratio"):
        assert (found[quantity].word, found[quantity].measured) == ("not measured", None)
        assert "on a trace that" in found[quantity].remark


def test_a_time_that_the_paper_does_not_tell_gets_no_verdict() -> None:
    pair = (row("lstm", 0.1, training_s=30, epochs=3), row("transformer", 0.1, training_s=120, epochs=4))
    found = told(judgement(BASE, *pair))["training_time_ratio"]
    assert (found.word, found.measured) == ("not measured", 0.25)
    assert "LSTM 30.0 s in 3 epochs, Transformer 120.0 s in 4" in found.remark


@pytest.mark.parametrize(
    ("longer", "word"), [(0.0195, "reproduced"), (0.029, "reproduced"), (0.012, "not reproduced")]
)
def test_a_longer_window_brings_gain_or_does_not(longer: float, word: str) -> None:
    rows = [row("lstm-03", 0.02), row("lstm-06", 0.03, window=6), row("lstm-24", longer, window=24)]
    found = told(judgement(BASE, *rows))["rmse_longer_window_ratio"]
    assert found.word == word
    assert found.measured == pytest.approx(longer / 0.02)
    assert found.remark.endswith(f"24 steps {longer:.4f}, 3 steps 0.0200")


def test_the_classes_come_from_a_fit(tmp_path: Path) -> None:
    measured = {"elbow_cpu": 3, "elbow_ram": 4, "t1_vcpus": 4.5, "t3_ram_gib": 64.0}
    document = {
        "schema": "testbedctl.classes-fit/1",
        "dataset": {"name": "month", "vms": 500},
        "claims": [{"quantity": name, "measured": value} for name, value in measured.items()],
    }
    (tmp_path / "fit.json").write_text(json.dumps(document))
    found = told(judgement(BASE), fit=load_fit(tmp_path / "fit.json"))
    words = {name: found[name].word for name in measured}
    assert words == {
        "elbow_cpu": "reproduced",
        "elbow_ram": "not reproduced",
        "t1_vcpus": "reproduced",
        "t3_ram_gib": "not reproduced",
    }
    assert found["t1_ram_gib"].word == "not measured"
    assert found["elbow_cpu"].remark == "month, 500 VMs"


def test_without_a_fit_the_classes_are_not_measured() -> None:
    assert told(judgement(BASE))["elbow_cpu"].word == "not measured"


def test_another_file_is_no_fit(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(InvalidFile, match="classes-fit"):
        load_fit(tmp_path / "x.json")


def test_every_claim_gets_a_verdict() -> None:
    claims = load_claims()
    assert len(told(judgement(BASE))) == len(claims)
    assert {claim.id for claim in claims} == {"FI-7", "FI-8", "FI-9", "FI-10"}
