"""What all figures share: colours that people with any colour vision tell apart, plain axes, the command below."""

import io
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
"""Of the colours of Okabe and Ito, "Color Universal Design", 2008."""
SERIES = (BLUE, ORANGE, GREEN, PINK)
"""Colours of the models of a figure, in their order."""
MARKERS = ("o", "s", "^", "D")
"""Marks of the models of a figure, for prints without colour."""
GREY = "#5F5F5F"

_DPI = 160
_FEW_TIMES = 2000.0
# Width of a character of the small monospaced type, in inches.
_CHARACTER = 0.0645


def tidy(axes: Axes) -> None:
    """Give axes a light grid and take the frame's upper and right line away."""
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def log_scale(axes: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers on it."""
    axes.set_yscale("log")
    formatter = FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(formatter)
    # The numbers between powers of ten only where there is room, that is for a few decades at most.
    low, high = axes.get_ylim()
    few = high / low < _FEW_TIMES
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5) if few else (2, 3, 4, 5, 6, 7, 8, 9)))
    axes.yaxis.set_minor_formatter(formatter if few else NullFormatter())


def png_bytes(figure: Figure, *, command: str, note: str = "") -> bytes:
    """Return a figure as PNG, with a note and the command below it and the command in the file's description.

    Args:
        figure: with layout "constrained", which makes room for what is written below.
        command: that makes the figure.
        note: what else a reader must know, such as which photos and models.
    """
    columns = int(figure.get_figwidth() / _CHARACTER)
    lines = [*textwrap.wrap(note, columns), *textwrap.wrap(command, columns, break_on_hyphens=False)]
    figure.supxlabel("\n".join(lines), fontsize=7.5, family="monospace", color=GREY, x=0.01, ha="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Description": command, "Software": "RobustIQA"})
    return buffer.getvalue()
