"""The papers' claims as data (``profiles/claims.yaml``): what is said, where, and what counts as the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile, Place
from testbedctl.spec.document import read_document
from testbedctl.spec.explain import places_of


class Claim(BaseModel):
    """One number of a paper. ``tolerance`` is relative to ``value``: 0.2 takes 20 % to either side."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: Annotated[str, Field(description="the statement, which may hold several numbers")]
    paper: str
    place: Annotated[str, Field(description="section, figure or table of the paper")]
    quantity: Annotated[str, Field(description="what is measured, as the experiment names it")]
    unit: str
    value: Annotated[
        float | None, Field(description="the paper's number; null if it is not in the text at hand")
    ]
    tolerance: Annotated[float, Field(ge=0, le=1)]
    how: Annotated[str, Field(description="how it is measured here")]
    experiment: Annotated[str, Field(description="the command that measures it")]

    def met_by(self, measured: float) -> bool:
        """Whether a measured value is inside the tolerance. False where the paper's own is not known."""
        return (
            self.value is not None and abs(measured - self.value) <= self.tolerance * abs(self.value) + 1e-12
        )


class _Claims(BaseModel):
    model_config = ConfigDict(extra="forbid")
    claims: list[Claim]


def load_claims(path: Path | None = None) -> tuple[Claim, ...]:
    """The claims of a file, by default of the one that ships with testbedctl.

    Raises ``InvalidFile`` with every place that is wrong, also where a quantity of a claim comes twice.
    """
    document = read_document(path or data_dir("profiles") / "claims.yaml")
    places = document.faults
    try:
        claims = _Claims.model_validate(document.data, strict=True).claims
    except ValidationError as error:
        raise _invalid(
            document.file, [*places, *places_of(error, document, _Claims.model_json_schema())]
        ) from None
    seen: set[tuple[str, str]] = set()
    for number, claim in enumerate(claims):
        if (claim.id, claim.quantity) in seen:
            message = f"claims[{number}]: {claim.id} has the quantity {claim.quantity!r} twice"
            places.append(document.place(("claims", number, "quantity"), message))
        seen.add((claim.id, claim.quantity))
    if places:
        raise _invalid(document.file, places)
    return tuple(claims)


def _invalid(file: str, places: list[Place]) -> InvalidFile:
    return InvalidFile(
        f"the claims in {file} cannot be used", places=places, hint="compare with the shipped file"
    )
