"""Scores against human scores."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from robustiqa_core.metrics.correlation import logistic
from robustiqa_core.plots.canvas import BLUE, GREY, ORANGE, png_bytes, tidy


def scatter_png(
    scores: npt.ArrayLike,
    mos: npt.ArrayLike,
    parameters: tuple[float, float, float, float] | None,
    *,
    title: str,
    unit: str,
    lines: Sequence[str],
    command: str,
) -> bytes:
    """Return a figure of scores against human scores, with the fitted logistic and the figures in it.

    Args:
        scores: (N,).
        mos: (N,).
        parameters: of `metrics.correlation.logistic`; None where none could be fitted.
        title: the model and the photos.
        unit: of the scores.
        lines: figures, a line each.
        command: that makes the figure.

    Returns:
        PNG bytes.
    """
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    axes = figure.subplots()
    axes.scatter(x, y, s=9, color=BLUE, alpha=0.35, linewidths=0, label=f"{x.size} photos")
    if parameters is not None:
        curve = np.linspace(x.min(), x.max(), 200)
        axes.plot(curve, logistic(curve, *parameters), color=ORANGE, linewidth=2, label="4-parameter logistic")
    axes.set_xlabel(f"score: {unit}", fontsize=9)
    axes.set_ylabel("human score (MOS)")
    axes.set_title(title, fontsize=10)
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": GREY, "alpha": 0.85}
    axes.text(
        0.02, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=8, family="monospace", bbox=box
    )
    axes.legend(loc="lower right", fontsize=8)
    tidy(axes)
    return png_bytes(figure, command=command)
