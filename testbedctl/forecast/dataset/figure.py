"""The correlations of a data set's features as a picture."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from testbedctl.errors import RunFailed, UsageError
from testbedctl.forecast.dataset.description import Description
from testbedctl.forecast.dataset.features import shown_name
from testbedctl.render.drawing import FORMATS, Drawing, image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALL = 8
_DARK = 0.6
"""Above this correlation, either way, a cell is so dark that its number is written in white."""


def check_format(path: Path) -> None:
    """Raises UsageError for a name that does not end in one of ``FORMATS``."""
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        raise UsageError(f"cannot draw {path}", hint=f"figures end in .{' or .'.join(FORMATS)}")


def write_figure(description: Description, path: Path) -> None:
    """Draw both correlation matrices beside each other.

    Raises UsageError as ``check_format``, RunFailed if the file cannot be written.
    """
    check_format(path)
    side = 1.6 + 0.38 * len(description.spreads)
    drawing = Drawing("correlations", "", partial(_draw, description), (2 * side + 1.4, side + 1.2))
    try:
        path.write_bytes(image(drawing, path.suffix.lower().removeprefix(".")))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise RunFailed(f"cannot write {path}: {reason}", hint="give another file with --figure") from error


def _draw(description: Description, canvas: Any) -> None:
    axes = canvas.subplots(1, 2, sharey=True)
    _matrix(axes[0], "over all rows of all VMs", description.pooled, description)
    shown = _matrix(axes[1], "within a VM, median over the VMs", description.within, description)
    bar = canvas.colorbar(shown, ax=axes, shrink=0.8)
    bar.set_label("Pearson's r", fontsize=_SMALL)
    bar.ax.tick_params(labelsize=_SMALL)


def _matrix(axes: Any, title: str, matrix: NDArray[np.float64], description: Description) -> Any:
    """One matrix; features that a forecaster learns from are bold, a grey cell has no correlation."""
    names = [shown_name(name) for name in description.spreads]
    kept = {shown_name(name) for name in description.kept.values()}
    axes.grid(visible=False)
    axes.set_facecolor("#dddddd")
    shown = axes.imshow(np.ma.masked_invalid(matrix), vmin=-1, vmax=1, cmap="RdBu_r")
    axes.set_title(title)
    axes.set_xticks(
        range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=_SMALL
    )
    axes.set_yticks(range(len(names)), names, fontsize=_SMALL)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontweight("bold" if label.get_text() in kept else "normal")
    for row, column in np.argwhere(np.isfinite(matrix)):
        colour = "white" if abs(matrix[row, column]) > _DARK else "black"
        text = f"{matrix[row, column]:z.2f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    return shown
