"""The file of claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile
from testbedctl.spec.claims import load_claims

SHIPPED = (data_dir("profiles") / "claims.yaml").read_text(encoding="utf-8")


def test_the_shipped_numbers_are_the_papers() -> None:
    values = {claim.quantity: claim.value for claim in load_claims()}
    assert (values["rmse_lstm"], values["rmse_transformer"]) == (0.0189, 0.0259)
    assert (values["t1_vcpus"], values["t1_ram_gib"], values["t3_vcpus"], values["t3_ram_gib"]) == (
        4,
        8,
        8,
        16,
    )


@pytest.mark.parametrize(
    ("found", "written", "message"),
    [
        ("tolerance: 0.2", "tolerance: 20", "claims[0].tolerance: found 20"),
        ("quantity: rmse_lstm", "quantaty: rmse_lstm", "did you mean 'quantity'"),
        ("quantity: rmse_transformer", "quantity: rmse_lstm", "FI-7 has the quantity 'rmse_lstm' twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, found: str, written: str, message: str) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(SHIPPED.replace(found, written, 1))
    with pytest.raises(InvalidFile) as error:
        load_claims(path)
    assert message in str(error.value.places[0])
    assert error.value.places[0].line > 1


def test_a_value_at_the_edge_of_the_tolerance_is_met() -> None:
    (claim,) = (each for each in load_claims() if each.quantity == "rmse_lstm")
    assert claim.met_by(0.0189 * 1.2)
    assert not claim.met_by(0.0189 * 1.21)
