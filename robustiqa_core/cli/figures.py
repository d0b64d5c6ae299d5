"""Robustness figures as text, with the convention in the head of every column; shared by two commands."""

from collections.abc import Callable, Sequence

from robustiqa_core.evaluation.tables.summary import RunSummary, Summary
from robustiqa_core.metrics.correlation import spell_correlation
from robustiqa_core.metrics.figures import Effect
from robustiqa_core.metrics.scale import MEANING

NOTES: dict[Effect, str] = {"moved": "", "partly": "moved in part", "nothing": "did nothing"}
_REMARKS: dict[Effect, str] = {
    "moved": "",
    "partly": "moved in part: 5 % of the images or more did not move, and each adds up to 6 to R.",
    "nothing": "did nothing: half of the images or more did not move; a small gain or a large R is no robustness here.",
}


def print_summaries(summaries: Sequence[Summary], strength: Callable[[float], str]) -> None:
    """Print the figures of each run, areas and comparisons under all conventions given, side by side.

    Args:
        summaries: of the same runs, one for each convention; intervals are printed where there is one convention.
        strength: writes a strength.
    """
    _print_scales(summaries)
    print(columns([_head(summaries), *_lines(summaries, strength)]))
    for effect in dict.fromkeys(run.figures.effect for run in summaries[0].runs):
        if _REMARKS[effect]:
            print(_REMARKS[effect])
    _print_human(summaries[0], strength)
    _print_curves(summaries, strength)
    _print_comparisons(summaries, strength)


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as text with aligned columns.

    Example:
        >>> print(columns([["a", "b"], ["ccc", "d"]]))
        a    b
        ccc  d
    """
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    rows = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(row.rstrip() for row in rows)


def _print_scales(summaries: Sequence[Summary]) -> None:
    for summary in summaries:
        ranges = {run.model: run.figures.scale.score_range for run in summary.runs}
        told = "; ".join(f"{model} {found.low:.4g} to {found.high:.4g}" for model, found in ranges.items())
        print(f"{summary.convention}: {MEANING[summary.convention]} ({told})")


def _head(summaries: Sequence[Summary]) -> list[str]:
    scaled = [f"{name} ({summary.convention})" for name in ("gain", "R") for summary in summaries]
    first = summaries[0].convention
    return ["model", "attack", "strength", "photos", *scaled, "SROCC", "flips", f"unmoved ({first})", "note"]


def _lines(summaries: Sequence[Summary], strength: Callable[[float], str]) -> list[list[str]]:
    lines = []
    for runs in zip(*(summary.runs for summary in summaries), strict=True):
        first, figures = runs[0], runs[0].figures
        ranks = figures.attacked_clean
        lines.append(
            [
                *_name(first.model, first.attack, first.strength, strength),
                str(figures.images),
                *(_figure(run, name, len(runs) == 1) for name in ("absolute_gain", "r_score") for run in runs),
                "-" if ranks is None else spell_correlation(ranks.srocc),
                "-" if figures.flip_rate is None else spell_correlation(figures.flip_rate),
                f"{100 * figures.unmoved_share:.0f} %",
                NOTES[figures.effect],
            ]
        )
    return lines


def _name(model: str, attack: str, value: float | None, strength: Callable[[float], str]) -> list[str]:
    return [model, attack, "-" if value is None else strength(value)]


def _figure(run: RunSummary, name: str, interval: bool) -> str:
    value: float = getattr(run.figures, name)
    return _signed(value, run.intervals[name]) if interval else f"{value:+.3f}"


def mos_notes(summary: Summary) -> list[str]:
    """Return a sentence for each kind of run whose agreement with human scores is over a part of its photos, or none.

    A table without any human score has no such sentence.
    """
    notes = []
    for run in summary.runs:
        figures = run.figures
        if 0 < figures.mos_images < figures.images:
            notes.append(
                f"human scores of {figures.mos_images} of {figures.images} photos of {run.model} are known: "
                "the agreement with MOS is over these"
            )
        if figures.mos_images and figures.mos_clean is None:
            notes.append(
                f"agreement of {run.model} with MOS is undefined: it needs four photos or more, and MOS that differ"
            )
    return list(dict.fromkeys(notes))


def _print_human(summary: Summary, strength: Callable[[float], str]) -> None:
    """Print the agreement with human scores before and after the attack, where there are any."""
    head = ["agreement with MOS", "attack", "strength", "photos"]
    lines = [[*head, *(f"{name} {when}" for name in ("SROCC", "PLCC", "KROCC") for when in ("clean", "attacked"))]]
    for run in summary.runs:
        if run.figures.mos_images:
            found = (run.figures.mos_clean, run.figures.mos_attacked)
            cells = (
                spell_correlation(None if one is None else getattr(one, name))
                for name in ("srocc", "plcc", "krocc")
                for one in found
            )
            lines.append([*_name(run.model, run.attack, run.strength, strength), str(run.figures.mos_images), *cells])
    if len(lines) > 1:
        print(f"\n{columns(lines)}")


def _print_curves(summaries: Sequence[Summary], strength: Callable[[float], str]) -> None:
    curves = list(zip(*(summary.curves for summary in summaries), strict=True))
    if not curves:
        return
    names = ("absolute_gain", "r_score")
    titles = [f"{name} ({summary.convention})" for name in ("gain", "R") for summary in summaries]
    lines = [["area over strengths", "attack", "from", "to", *titles]]
    for same in curves:
        first = same[0]
        areas = (curve.areas[name] for name in names for curve in same)
        ends = (strength(first.strengths[0]), strength(first.strengths[-1]))
        lines.append([first.model, first.attack, *ends, *("-" if area is None else f"{area:+.3f}" for area in areas)])
    print(f"\n{columns(lines)}")
    print("area under the curve over the strengths by the trapezoid rule, divided by their range")


def _print_comparisons(summaries: Sequence[Summary], strength: Callable[[float], str]) -> None:
    pairs = list(zip(*(summary.comparisons for summary in summaries), strict=True))
    if not pairs:
        return
    names = [summary.convention for summary in summaries]
    differences = [f"difference ({name})" for name in names]
    lines = [["mean |change| of", "attack", "strength", *differences, f"p ({names[0]})", f"effect ({names[0]})"]]
    for same in pairs:
        first = same[0]
        name = f"{first.model} - {first.baseline}"
        found = (_signed(one.test.mean_difference, one.test.interval) for one in same)
        test = (f"{first.test.wilcoxon_p:.2g}", f"{first.test.rank_biserial:+.2f}")
        lines.append([*_name(name, first.attack, first.strength, strength), *found, *test])
    print(f"\n{columns(lines)}")
    print("negative: moves less than the baseline; p: Wilcoxon; effect: rank-biserial, -1 where every photo moves less")


def _signed(value: float, interval: tuple[float, float]) -> str:
    return f"{value:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]"
