"""The paper's claims on forecasts and classes beside what was measured: FI-7 to FI-10.

Everything comes from files: ``evaluation.json`` of ``forecast evaluate`` or ``forecast windows``, and what
``classify fit --json`` printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from testbedctl.errors import InvalidFile
from testbedctl.forecast.evaluation import paper
from testbedctl.forecast.evaluation.result import PERSISTENCE, Contestant, Evaluation, Judgement
from testbedctl.records.files import parse_json, read_text
from testbedctl.spec.claims import Claim
from testbedctl.units import count

FIT_SCHEMA = "testbedctl.classes-fit/1"
Word = Literal["reproduced", "same direction", "not reproduced", "not measured"]


@dataclass(frozen=True)
class Verdict:
    """A claim and what was found: ``measured`` in the claim's unit, None if not measured; ``remark`` says on
    what it was measured, or why it was not."""

    claim: Claim
    measured: float | None
    word: Word
    remark: str

    def document(self) -> dict[str, Any]:
        """As JSON prints it."""
        about = self.claim.model_dump(exclude={"how", "experiment"})
        return {**about, **{key: value for key, value in asdict(self).items() if key != "claim"}}


@dataclass(frozen=True)
class _Found:
    """``value`` in the claim's unit; ``same_direction``: whether what the claim says of order holds."""

    value: float
    remark: str
    same_direction: bool = False


@dataclass(frozen=True)
class ClassesFound:
    """What ``classify fit`` measured for FI-10: quantity → value, on so many VMs of a data set."""

    dataset: str
    vms: int
    measured: Mapping[str, float]


def load_fit(path: Path) -> ClassesFound:
    """What ``classify fit --json`` printed. Raises ``InvalidFile`` if the file is something else."""
    document = parse_json(read_text(path), path)
    if not isinstance(document, dict) or document.get("schema") != FIT_SCHEMA:
        raise InvalidFile(
            f"{path} does not have the schema {FIT_SCHEMA!r}",
            hint="`testbedctl classify fit DATASET --json` prints one",
        )
    measured = {each["quantity"]: each["measured"] for each in document["claims"]}
    return ClassesFound(document["dataset"]["name"], document["dataset"]["vms"], measured)


def verdicts(
    claims: Sequence[Claim], evaluations: Sequence[Evaluation], classes: ClassesFound | None = None
) -> list[Verdict]:
    """A verdict on each claim that forecasts or classes can measure.

    Where several data sets were judged each gives a verdict of its own on FI-7 to FI-9; foreign ones give
    none, since the paper trains and judges on the same trace. ``classes`` is for FI-10.
    """
    judgements = [each for evaluation in evaluations for each in evaluation.judgements if not each.foreign]
    told = []
    for claim in claims:
        if claim.id == "FI-10":
            told.append(_of_class(claim, classes))
        elif claim.quantity in _MEASURES:
            measured = [(each, _MEASURES[claim.quantity](each)) for each in judgements]
            found = [_verdict(claim, each, what) for each, what in measured if what is not None]
            told += found or [Verdict(claim, None, "not measured", _ABSENT[claim.quantity])]
    return told


def _verdict(claim: Claim, judgement: Judgement, found: _Found) -> Verdict:
    remark = f"{judgement.dataset}, {count(len(judgement.vms), 'VM')}: {found.remark}"
    if claim.value is None:
        return Verdict(claim, found.value, "not measured", f"the paper's own number is not known; {remark}")
    word: Word = "reproduced" if _met(claim, found.value) else "not reproduced"
    if word == "not reproduced" and found.same_direction:
        word = "same direction"
    return Verdict(claim, found.value, word, remark)


def _met(claim: Claim, measured: float) -> bool:
    """Whether the claim holds; of one that there is no gain only a gain says that it does not."""
    if claim.quantity in _NO_GAIN and claim.value is not None:
        return claim.met_by(min(measured, claim.value))
    return claim.met_by(measured)


def _as_described(judgement: Judgement, model: str) -> Contestant | None:
    """The paper's model as the paper has it: on a trace whose VMs it has learned from."""
    row = paper.as_described(judgement, model)
    return row if row and row.seen and judgement.units == "trace" else None


def _of_class(claim: Claim, classes: ClassesFound | None) -> Verdict:
    if classes is None:
        why = "no fit was given: `testbedctl classify fit DATASET --json` prints what --classes takes"
        return Verdict(claim, None, "not measured", why)
    if claim.quantity not in classes.measured:
        return Verdict(claim, None, "not measured", f"the fit to {classes.dataset} has no such number")
    value = classes.measured[claim.quantity]
    word: Word = "reproduced" if claim.met_by(value) else "not reproduced"
    return Verdict(claim, value, word, f"{classes.dataset}, {classes.vms} VMs")


def _rmse(judgement: Judgement, model: str) -> _Found | None:
    """FI-7; its order is that the LSTM's error is below the Transformer's."""
    row = _as_described(judgement, model)
    error = row.error(1) if row else None
    if row is None or error is None:
        return None
    errors = {
        name: own.mean
        for name in ("lstm", "transformer")
        if (other := _as_described(judgement, name)) and (own := other.error(1))
    }
    persistence = judgement.contestant(PERSISTENCE)
    base = persistence.error(1) if persistence else None
    beside = f", persistence {base.mean:.4f}" if base else ""
    lower = len(errors) == 2 and errors["lstm"] < errors["transformer"]
    learned = f", {row.seen} learned from" if row.seen != len(judgement.vms) else ""
    return _Found(error.mean, f"scaled per VM{beside}{learned}", lower)


def _rmse_lstm(judgement: Judgement) -> _Found | None:
    return _rmse(judgement, "lstm")


def _rmse_transformer(judgement: Judgement) -> _Found | None:
    return _rmse(judgement, "transformer")


def _training_time(judgement: Judgement) -> _Found | None:
    """FI-8, Table 5: both models trained on the data set that is judged."""
    rows = [_as_described(judgement, name) for name in ("lstm", "transformer")]
    lstm, transformer = ((row.training_s, row.epochs) if row else (None, None) for row in rows)
    if not lstm[0] or not transformer[0]:
        return None
    remark = (
        f"LSTM {lstm[0]:.1f} s in {lstm[1]} epochs, Transformer {transformer[0]:.1f} s in {transformer[1]}"
    )
    return _Found(lstm[0] / transformer[0], remark)


def _longer_windows(judgement: Judgement) -> _Found | None:
    """FI-9: the best of the windows longer than the paper's, against the paper's."""
    rows = {row.window or 0: error.mean for row in paper.by_window(judgement) if (error := row.error(1))}
    longer = {window: rmse for window, rmse in rows.items() if window > paper.WINDOW}
    if not longer or not rows.get(paper.WINDOW):
        return None
    best = min(longer, key=lambda window: longer[window])
    ratio = longer[best] / rows[paper.WINDOW]
    return _Found(ratio, f"{best} steps {longer[best]:.4f}, {paper.WINDOW} steps {rows[paper.WINDOW]:.4f}")


_MEASURES = {
    "rmse_lstm": _rmse_lstm,
    "rmse_transformer": _rmse_transformer,
    "training_time_ratio": _training_time,
    "rmse_longer_window_ratio": _longer_windows,
}
_NO_GAIN = {"rmse_longer_window_ratio"}
_BOTH = (
    "no evaluation holds the paper's model (window 3, one step ahead, scaling per-vm) on a trace that it has "
    "learned from"
)
_ABSENT = {
    "rmse_lstm": _BOTH,
    "rmse_transformer": _BOTH,
    "training_time_ratio": "no evaluation holds both of the paper's models on a trace that both learned from",
    "rmse_longer_window_ratio": "no evaluation holds the LSTM with three and with more past steps",
}
