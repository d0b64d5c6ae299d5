"""Results as PNG figures for documents, each with the command that makes it written below."""

import io
import textwrap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustiqa_core.degradations import DEGRADATIONS
from robustiqa_core.metrics.correlation import logistic
from robustiqa_core.series import Series, summarise

# Of Okabe and Ito's colours, which people with any colour vision tell apart.
_BLUE, _ORANGE, _BLACK, _GREY = "#0072B2", "#D55E00", "#000000", "#666666"
_DPI = 150
# Of the monospaced font of 7 points.
_LETTERS_PER_INCH = 16


def series_png(series: Sequence[Series], *, title: str, unit: str, command: str) -> bytes:
    """Return a figure of the scores of photos that get worse step by step, one panel a kind of degradation.

    Args:
        series: of all photos and kinds, from `series.run_series`.
        title: what was scored by what.
        unit: of the scores.
        command: that makes the figure.

    Returns:
        PNG bytes.
    """
    summaries = summarise(series)
    figure = Figure(figsize=(3.2 * len(summaries) + 0.6, 4.2), layout="constrained")
    panels = figure.subplots(1, len(summaries), sharey=True, squeeze=False)[0]
    for axes, summary in zip(panels, summaries, strict=True):
        kind = DEGRADATIONS[summary.kind]
        group = [one for one in series if one.kind == summary.kind]
        levels = range(len(group[0].scores))
        for one in group:
            colour, width = (_BLUE, 0.7) if one.ordered else (_ORANGE, 1.1)
            axes.plot(levels, one.scores, color=colour, linewidth=width, alpha=0.7)
        axes.plot(levels, np.median([one.scores for one in group], axis=0), color=_BLACK, linewidth=2.2)
        axes.set_title(
            f"{kind.title}\n{summary.ordered} of {summary.photos} photos ordered, mean τ {summary.mean_tau:.2f}",
            fontsize=9,
        )
        axes.set_xticks(levels, ["as is", *(f"{strength:g}" for strength in kind.strengths)])
        axes.set_xlabel(kind.measure, fontsize=8)
        _tidy(axes)
    panels[0].set_ylabel(f"score: {unit}", fontsize=8)
    figure.suptitle(
        f"{title}: one line a photo, blue where Kendall's τ is at least 0.8, else orange; black: the median",
        fontsize=10,
    )
    return _png(figure, command)


def scatter_png(
    scores: npt.ArrayLike,
    mos: npt.ArrayLike,
    parameters: tuple[float, float, float, float],
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
        parameters: of `metrics.correlation.logistic`.
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
    axes.scatter(x, y, s=9, color=_BLUE, alpha=0.35, linewidths=0, label=f"{x.size} photos")
    curve = np.linspace(x.min(), x.max(), 200)
    axes.plot(curve, logistic(curve, *parameters), color=_ORANGE, linewidth=2, label="4-parameter logistic")
    axes.set_xlabel(f"score: {unit}", fontsize=9)
    axes.set_ylabel("human score (MOS)")
    axes.set_title(title, fontsize=10)
    box = {"boxstyle": "round", "facecolor": "white", "edgecolor": _GREY, "alpha": 0.85}
    axes.text(
        0.02, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=8, family="monospace", bbox=box
    )
    axes.legend(loc="lower right", fontsize=8)
    _tidy(axes)
    return _png(figure, command)


def _tidy(axes: Axes) -> None:
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _png(figure: Figure, command: str) -> bytes:
    """Return the figure as PNG, the command below it and in the file's description."""
    width = int(_LETTERS_PER_INCH * figure.get_figwidth())
    written = textwrap.fill(command, width, break_on_hyphens=False)
    figure.supxlabel(written, fontsize=7, family="monospace", color=_GREY)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Description": command, "Software": "RobustIQA"})
    return buffer.getvalue()
