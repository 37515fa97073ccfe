"""Min–max scaling to [0, 1], fitted on training parts alone (§7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from testbedctl.errors import InvalidFile, UsageError
from testbedctl.forecast.series import Series
from testbedctl.ports import RESOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Kind = Literal["per-vm", "global", "none"]
KINDS: tuple[Kind, ...] = ("per-vm", "global", "none")
_ALL = "*"  # where the limits of a global scaler are kept


@dataclass(frozen=True)
class Scaler:
    """Limits of each of ``ports.RESOURCES``: of each VM, of all together, or none at all.

    Scaled values are clipped to [0, 1]: what leaves the range that was seen in training reads as its edge. A
    resource that did not change in training has no range, and scales to 0.
    """

    kind: Kind
    low: Mapping[str, Floats] = field(default_factory=dict)
    high: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def fit(cls, kind: Kind, parts: Iterable[Series]) -> Scaler:
        """The scaler of these training parts; a VM without rows gets no limits.

        Raises ``InvalidFile`` naming VM and resource for a value that is not a finite number, ``UsageError``
        for another kind.
        """
        if kind not in KINDS:
            raise UsageError(f"no scaling is called {kind!r}", hint=f"one of {', '.join(KINDS)}")
        low: dict[str, Floats] = {}
        high: dict[str, Floats] = {}
        for part in parts:
            _check_finite(part)
            if kind == "none" or not len(part.values):
                continue
            key = part.vm if kind == "per-vm" else _ALL
            least, most = part.values.min(axis=0), part.values.max(axis=0)
            low[key] = np.minimum(low.get(key, least), least)
            high[key] = np.maximum(high.get(key, most), most)
        return cls(kind, low, high)

    def limits(self, vm: str) -> tuple[Floats, Floats]:
        """Lowest and highest value, each float32[4], that become 0 and 1 for this VM.

        Raises ``UsageError`` for a VM that a per-VM scaler was not fitted on.
        """
        if self.kind == "none":
            return np.zeros(len(RESOURCES), np.float32), np.ones(len(RESOURCES), np.float32)
        key = vm if self.kind == "per-vm" else _ALL
        if key not in self.low:
            raise UsageError(
                f"the scaler has no limits for VM {vm!r}",
                hint="a per-VM scaler knows the VMs it was fitted on: fit one on this VM's training part",
            )
        return self.low[key], self.high[key]

    def scale(self, series: Series) -> Series:
        """The series in [0, 1] by the limits of its VM; with the kind ``none`` unchanged and not clipped."""
        if self.kind == "none":
            return series
        low, high = self.limits(series.vm)
        span = high - low
        scaled = (series.values - low) / np.where(span > 0, span, np.float32(1))
        scaled[:, span <= 0] = 0
        return Series(series.vm, series.unix_s, np.clip(scaled, 0, 1, out=scaled))

    def unscale(self, vm: str, values: Floats) -> Floats:
        """Scaled values float32[..., 4] in the data set's own units again."""
        low, high = self.limits(vm)
        return values * (high - low) + low

    def as_document(self) -> dict[str, Any]:
        """What a model's file holds of the scaler."""
        limits = {
            key: {"low": self.low[key].tolist(), "high": self.high[key].tolist()} for key in sorted(self.low)
        }
        return {"kind": self.kind, "limits": limits}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Scaler:
        """The scaler that ``as_document`` wrote."""
        limits = document["limits"]
        low = {key: np.array(each["low"], np.float32) for key, each in limits.items()}
        high = {key: np.array(each["high"], np.float32) for key, each in limits.items()}
        return cls(document["kind"], low, high)


def _check_finite(part: Series) -> None:
    wrong = np.argwhere(~np.isfinite(part.values))
    if len(wrong):
        row, column = wrong[0]
        raise InvalidFile(
            f"VM {part.vm!r}: {RESOURCES[column]} is {part.values[row, column]} in row {row + 1} "
            f"({len(wrong)} such values)",
            hint="a series holds finite numbers; leave such rows out: they become gaps",
        )
