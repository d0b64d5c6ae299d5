"""The curve of a run in progress, as a small SVG: redrawn several times a second, it must be cheap to render.

A scripted chart can take a slow browser longer to redraw than the interval between updates, so that a click on
Cancel has to wait. Knows nothing of Streamlit.
"""

from collections.abc import Sequence

from robustiqa_core.scorer import ScoreRange
from ui.attacks.job import CurvePoint
from ui.shell.figures import COLOURS

_WIDTH, _HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 10, 28, 40


def curve_svg(points: Sequence[CurvePoint], *, steps: int, score_range: ScoreRange) -> str:
    """Return the best score against the attack's steps, with the clean score as a level line, as SVG.

    Args:
        points: of the steps so far, with the clean photo first.
        steps: how many steps there will be, so that the axis does not move while the attack runs.
        score_range: of the model; the vertical axis leaves a tenth of its width above and below the curve.
    """
    seen = [point.best_score for point in points] or [score_range.low, score_range.high]
    margin = 0.1 * score_range.width
    low, high = min(seen) - margin, max(seen) + margin

    def across(step: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * step / steps, 1)

    def down(score: float) -> float:
        return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - score) / (high - low), 1)

    best = " ".join(f"{across(point.step)},{down(point.best_score)}" for point in points if point.step is not None)
    clean = down(points[0].score) if points else None
    parts = [_axes(low, high, steps)]
    if clean is not None:
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{clean}" y2="{clean}" stroke="{COLOURS["clean"]}" '
            'stroke-width="2" stroke-dasharray="2 4"/>'
        )
    if best:
        end = best.rpartition(" ")[2].split(",")
        parts.append(f'<polyline points="{best}" fill="none" stroke="{COLOURS["adversarial"]}" stroke-width="3"/>')
        parts.append(f'<circle cx="{end[0]}" cy="{end[1]}" r="4" fill="{COLOURS["adversarial"]}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="sans-serif" font-size="13" fill="#7C8794">{"".join(parts)}</svg>'
    )


def _axes(low: float, high: float, steps: int) -> str:
    """Return the frame, the ends of both axes and their names."""
    bottom, right, middle = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT, (_LEFT + _WIDTH - _RIGHT) / 2
    return (
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#7C8794" stroke-opacity="0.4"/>'
        f'<text x="{_LEFT}" y="14">Score (higher = better)</text>'
        f'<text x="{right}" y="14" text-anchor="end">dotted: clean photo</text>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 10}" text-anchor="end">{high:.2f}</text>'
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">{low:.2f}</text>'
        f'<text x="{_LEFT}" y="{bottom + 16}">0</text>'
        f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{steps}</text>'
        f'<text x="{middle}" y="{bottom + 32}" text-anchor="middle">Step</text>'
    )
