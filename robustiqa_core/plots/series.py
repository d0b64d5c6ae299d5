"""Scores of photos that get worse step by step."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from robustiqa_core.evaluation.monotonicity import Series, summarise
from robustiqa_core.images.degradations import DEGRADATIONS
from robustiqa_core.plots.canvas import BLUE, ORANGE, png_bytes, tidy


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
            colour, width = (BLUE, 0.7) if one.ordered else (ORANGE, 1.1)
            axes.plot(levels, one.scores, color=colour, linewidth=width, alpha=0.7)
        axes.plot(levels, np.median([one.scores for one in group], axis=0), color="black", linewidth=2.2)
        axes.set_title(
            f"{kind.title}\n{summary.ordered} of {summary.photos} photos ordered, mean τ {summary.mean_tau:.2f}",
            fontsize=9,
        )
        axes.set_xticks(levels, ["as is", *(f"{strength:g}" for strength in kind.strengths)])
        axes.set_xlabel(kind.measure, fontsize=8)
        tidy(axes)
    panels[0].set_ylabel(f"score: {unit}", fontsize=8)
    figure.suptitle(
        f"{title}: one line a photo, blue where Kendall's τ is at least 0.8, else orange; black: the median",
        fontsize=10,
    )
    return png_bytes(figure, command=command)
