"""Figures as PNG and SVG in one look; the same data give the same bytes.

No date, no program name, fixed identifiers, fonts drawn as paths, and our settings alone, whatever the user's
matplotlibrc says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from testbedctl.errors import RunFailed

Draw = Callable[[Any], None]
"""Draws into a matplotlib Figure."""

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
FORMATS = ("png", "svg")

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "testbedctl",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "errorbar.capsize": 3.5,
}


@dataclass(frozen=True)
class Drawing:
    """One figure: the stem of its files, its caption, its size in inches, and how it is drawn."""

    name: str
    caption: str
    draw: Draw
    size_inches: tuple[float, float] = (6.4, 4.0)


def image(drawing: Drawing, kind: str) -> bytes:
    """The figure as ``png`` or ``svg``."""
    from matplotlib.figure import Figure as Canvas

    with _style():
        canvas = Canvas(figsize=drawing.size_inches, layout="constrained")
        drawing.draw(canvas)
        stream = BytesIO()
        nothing: dict[str, None] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        canvas.savefig(stream, format=kind, dpi=150, metadata=nothing)
    return stream.getvalue()


def write(drawings: Sequence[Drawing], directory: Path, *, option: str) -> list[Path]:
    """Write each figure as PNG and SVG and return the paths.

    Raises RunFailed if that is impossible; its hint names the ``option`` that gave the directory.
    """
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for drawing in drawings:
            for kind in FORMATS:
                path = directory / f"{drawing.name}.{kind}"
                path.write_bytes(image(drawing, kind))
                written.append(path)
    except OSError as error:
        raise RunFailed(
            f"cannot write figures into {directory}: {error.strerror or error}",
            hint=f"give another directory with {option}",
        ) from error
    return written


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield
