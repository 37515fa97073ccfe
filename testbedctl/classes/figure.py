"""The elbow as a picture: distortion over k for CPU and RAM (Figure 7 of the predictive-slicing paper)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbedctl.classes.fit import Fit
from testbedctl.errors import UsageError
from testbedctl.records.files import write_bytes
from testbedctl.render.drawing import BLUE, FORMATS, GREY, ORANGE, Drawing, image

if TYPE_CHECKING:
    from testbedctl.classes.fit import FeatureFit

_TITLES = {"vcpus": "a) CPU", "ram_gib": "b) RAM"}
_UNITS = {"vcpus": "cores²", "ram_gib": "GiB²"}


def elbow_drawing(found: Fit) -> Drawing:
    """The distortion over k of both features, with the chord that the elbow is farthest from."""

    def draw(canvas: Any) -> None:
        for axes, (name, feature) in zip(canvas.subplots(1, 2), found.features.items(), strict=True):
            _panel(axes, name, feature)

    caption = f"Distortion of k-means over k, {len(found.data.vms)} VMs of {found.data.dataset}"
    return Drawing("elbow", caption, draw, (8.0, 3.4))


def picture_kind(path: Path) -> str:
    """The format that the ending of ``path`` names. Raises UsageError if it stands for no picture."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise UsageError(f"{path} names no kind of picture", hint=f"end it in one of: {', '.join(FORMATS)}")
    return kind


def write_figure(found: Fit, path: Path) -> None:
    """Write the figure in the format that the ending of ``path`` names.

    Raises UsageError for an ending that stands for no picture, RunFailed if the file cannot be written.
    """
    write_bytes(path, image(elbow_drawing(found), picture_kind(path)))


def _panel(axes: Any, name: str, feature: FeatureFit) -> None:
    if not feature.distortion:
        axes.set_title(f"{_TITLES[name]}: too few sizes are left")
        return
    curve, ks = feature.distortion, range(1, len(feature.distortion) + 1)
    axes.plot(ks, curve, marker="D", color=BLUE, label="distortion")
    axes.plot((ks[0], ks[-1]), (curve[0], curve[-1]), color=GREY, linewidth=0.8, label="chord")
    bend = f"elbow at k = {feature.elbow}"
    axes.axvline(feature.elbow, color=ORANGE, linestyle="--", linewidth=1.2, label=bend)
    axes.set(title=_TITLES[name], xlabel="k", ylabel=f"distortion ({_UNITS[name]})", xticks=list(ks))
    axes.set_ylim(0, None)
    axes.legend()
