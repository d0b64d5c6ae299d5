"""What the figures of the page of spectra say, in a sentence made of their numbers. Knows nothing of Streamlit."""

import math
import statistics
from collections.abc import Mapping, Sequence

import torch

from robustiqa_core.metrics.correlation import spell_correlation, srocc
from robustiqa_core.spectra import (
    BANDS,
    NOISE,
    WHITE_LUMA_SHARE,
    FlowFigures,
    PointSummary,
    SensitivityMap,
    SpectrumFigures,
    band_means,
)
from ui.shell.model_names import place_name
from ui.spectra.outcome import Change

QUESTIONS = {
    "perturbation": "Where does the change of an attack lie: in coarse waves or in fine ones, in brightness or in "
    "colour?",
    "sensitivity": "Which waves move the score? Waves of one size but different frequency are added to the photos.",
    "layers": "How does a change grow through the model? An attack is compared with noise of the same size.",
}
"""By view."""
VIEW_NAMES = {"perturbation": "Perturbation", "sensitivity": "Sensitivity", "layers": "Layers"}

_BAND_WORDS = {"low": "waves of more than 8 px", "mid": "waves of 4 to 8 px", "high": "waves of less than 4 px"}
_NEARLY = 0.05
"""Shares that differ by less, as a part of themselves, are called about the same."""


def perturbation_conclusion(figures: Mapping[str, SpectrumFigures], names: Mapping[str, str]) -> str:
    """Return which waves the attack prefers on each model, beside white noise, and whether it prefers brightness."""
    known = {stem: found for stem, found in figures.items() if math.isfinite(found.luma_share)}
    if not known:
        return "The attack changed nothing."
    tops = {stem: _preferred_band(found) for stem, found in known.items()}
    bands = {band for band, _ in tops.values()}
    if len(bands) == 1:
        beside = _joined([f"{ratio:.1f} times noise's share for {names[stem]}" for stem, (_, ratio) in tops.items()])
        text = f"Compared with white noise, the attack prefers {_BAND_WORDS[bands.pop()]}: {beside}"
    else:
        beside = _joined(
            [
                f"{_BAND_WORDS[band]} for {names[stem]} ({ratio:.1f} times noise's share)"
                for stem, (band, ratio) in tops.items()
            ]
        )
        text = f"Compared with white noise, the attack prefers {beside}"
    words = {_beside(found.luma_share, WHITE_LUMA_SHARE) for found in known.values()}
    preference = {"more than": ", and brightness to colour", "less than": ", and colour to brightness"}
    return f"{text}{preference.get(words.pop(), '') if len(words) == 1 else ''}."


def sensitivity_conclusion(maps: Mapping[str, SensitivityMap], names: Mapping[str, str]) -> str:
    """Return which waves move each model most, and which model they move farther."""
    means = {stem: float(found.changes.mean()) for stem, found in maps.items()}
    tops = {stem: _BAND_WORDS[_most_sensitive(found)] for stem, found in maps.items()}
    if len(maps) == 1:
        (stem,) = maps
        return f"{names[stem]} is moved most by {tops[stem]}: waves move its score by {means[stem]:.1%} on average."
    first, second = maps
    most = _joined([f"{names[stem]} by {tops[stem]}" for stem in maps])
    most = f"both by {tops[first]}" if tops[first] == tops[second] else most
    return f"Waves move {names[second]} {_times_as_far(means[second], means[first])} {names[first]}; most, {most}."


def layers_conclusion(points: Mapping[str, Sequence[PointSummary]], names: Mapping[str, str], attack: str) -> str:
    """Return by how much more than noise the attack's change has grown when it reaches the score of each model."""
    leads = {stem: _lead(found[-1]) for stem, found in points.items()}
    known = [f"{lead:.1f} times in {names[stem]}" for stem, lead in leads.items() if lead is not None]
    if not known:
        return growth_reading(points, names, attack)
    return f"When it reaches the score, {attack} has grown more than noise of its size: {_joined(known)}."


def change_reading(change: Change, name: str, *, width: float) -> str:
    """Return how large a change is and what it did.

    Args:
        change: of one photo.
        name: of the model.
        width: of the model's score range.
    """
    moved = (change.rounded_score - change.clean_score) / width
    return (
        f"{name}: {255 * change.figures.rms:.2f}/255 RMS; the score went from "
        f"{change.clean_score:.3f} to {change.rounded_score:.3f}, {moved:+.0%} of its usual range."
    )


def density_reading(change: Change, name: str) -> str:
    """Return where the energy of a change is densest, but for its constant."""
    cells = torch.nan_to_num(change.density.decibels, nan=-math.inf).clone()
    cells[cells.shape[0] // 2, cells.shape[1] // 2] = -math.inf
    place = int(cells.argmax())
    row, column = divmod(place, cells.shape[1])
    vertical, horizontal = float(change.density.vertical[row]), float(change.density.horizontal[column])
    if not math.isfinite(float(cells.max())):
        return f"{name}: nothing was changed."
    where = wave_words(math.hypot(vertical, horizontal))
    return f"{name}: densest at {where}, {float(cells.max()):+.0f} dB over white noise of the same size."


def profile_reading(figures: Mapping[str, SpectrumFigures], names: Mapping[str, str]) -> str:
    """Return how much energy lies above a quarter cycle per pixel, beside white noise."""
    parts = []
    for stem, found in figures.items():
        share, white = found.band_shares["high"], found.white_band_shares["high"]
        parts.append(f"{share:.0%} of the energy for {names[stem]} ({_beside(share, white)} white noise's {white:.0%})")
    return f"Above 1/4 cycle per pixel, in {_BAND_WORDS['high']}, lies " + " and ".join(parts) + "."


def bands_reading(figures: Mapping[str, SpectrumFigures], names: Mapping[str, str]) -> str:
    """Return in which band each model's change has most beyond white noise, and how much of it is brightness."""
    sentences = []
    for stem, found in figures.items():
        if not math.isfinite(found.luma_share):
            sentences.append(f"Nothing was changed for {names[stem]}.")
            continue
        band, ratio = _preferred_band(found)
        sentences.append(
            f"{names[stem]} has {ratio:.1f} times noise's share in {_BAND_WORDS[band]}, and "
            f"{found.luma_share:.0%} of its energy in brightness ({_beside(found.luma_share, WHITE_LUMA_SHARE)} "
            f"noise's {WHITE_LUMA_SHARE:.0%})."
        )
    return " ".join(sentences)


def flow_reading(flow: FlowFigures, name: str, *, gain: float) -> str:
    """Return how far pixels were moved."""
    return (
        f"{name}: pixels come from {flow.mean:.2f} px away on average and {flow.maximum:.2f} px at most; "
        f"arrows are means of cells, drawn {gain:g} times as long."
    )


def map_reading(found: SensitivityMap, name: str) -> str:
    """Return which wave moves the score farthest, and how far waves move it in the mean."""
    changes = found.changes.mean(0)
    row, column = divmod(int(changes.argmax()), changes.shape[1])
    radius = math.hypot(float(found.vertical[row]), float(found.horizontal[column]))
    return (
        f"{name}: {wave_words(radius)} move the score farthest, by {float(changes.max()):.1%} of its usual range; "
        f"the mean over all waves is {float(changes.mean()):.1%}."
    )


def radius_reading(maps: Mapping[str, SensitivityMap], names: Mapping[str, str]) -> str:
    """Return in which band each model is most sensitive, and which model is the more sensitive one."""
    sentences = []
    for stem, found in maps.items():
        means = _measured_means(found)
        most, least = _most_sensitive(found), min(means, key=means.__getitem__)
        text = f"{names[stem]} is moved most by {_BAND_WORDS[most]} ({means[most]:.1%} on average)"
        if most != least:
            text += f" and least by {_BAND_WORDS[least]} ({means[least]:.1%})"
        sentences.append(f"{text}.")
    if len(maps) == 2:
        first, second = (float(found.changes.mean()) for found in maps.values())
        names_of = [names[stem] for stem in maps]
        if first > 0:
            sentences.append(f"Over all waves {names_of[1]} moves {second / first:.2f} times as far as {names_of[0]}.")
    return " ".join(sentences)


def growth_reading(points: Mapping[str, Sequence[PointSummary]], names: Mapping[str, str], attack: str) -> str:
    """Return how far the attack's change is ahead of noise, at the first point and at the score."""
    sentences = []
    for stem, found in points.items():
        leads = [_lead(point) for point in found]
        known = [(point.point, lead) for point, lead in zip(found, leads, strict=True) if lead is not None]
        if len(known) < 2:
            growth = statistics.fmean(spread.mean for spread in found[-1].relative.values())
            sentences.append(f"At the score the change of {names[stem]} has grown {growth:.1f} times.")
            continue
        first = known[1]
        sentences.append(
            f"In {names[stem]}, {attack} has grown {first[1]:.1f} times as much as noise {place_name(first[0])}, "
            f"and {known[-1][1]:.1f} times as much at the {known[-1][0]}."
        )
    return " ".join(sentences)


def stage_reading(points: Mapping[str, Sequence[PointSummary]], names: Mapping[str, str]) -> str:
    """Return which stage lengthens the change most, and whether the paper's ratio orders the stages alike."""
    sentences = []
    for stem, found in points.items():
        stages = [point for point in found if point.stage]
        if not stages:
            continue
        kind = next(iter(stages[0].stage))
        top = max(stages, key=lambda point: point.stage[kind].mean)
        bound = (
            ""
            if top.stage_norm is None
            else f"; at most, a small change could grow {top.stage_norm.mean:.1f} times there"
        )
        text = (
            f"In {names[stem]}, the change of the {kind_label(kind)} grows most {place_name(top.point)}: "
            f"{top.stage[kind].mean:.2f} times{bound}"
        )
        ratios = [point.dimension_ratio.mean for point in stages if point.dimension_ratio is not None]
        if len(ratios) == len(stages) > 2:
            agreement = srocc(ratios, [point.stage[kind].mean for point in stages])
            spelled = spell_correlation(agreement, 2, "+")
            text += f"; the rank correlation of the paper's ratio with this growth is {spelled}"
        sentences.append(text + ".")
    return " ".join(sentences)


def wave_words(radius: float) -> str:
    """Return a frequency in words.

    Example:
        >>> wave_words(0.25), wave_words(0.0)
        ('waves of 4.0 px (0.25 cycles per pixel)', 'the constant, a shift of all pixels')
    """
    if radius == 0:
        return "the constant, a shift of all pixels"
    return f"waves of {1 / radius:.1f} px ({radius:.2f} cycles per pixel)"


def kind_label(kind: str) -> str:
    """Return what people call a kind of change.

    Example:
        >>> kind_label("noise"), kind_label("pgd")
        ('noise of its size', 'attack')
    """
    return "noise of its size" if kind == NOISE else "attack"


def _measured_bands(found: SensitivityMap) -> set[str]:
    """Return the bands of which a wave was measured; the constant is none."""
    radius = torch.hypot(found.vertical[:, None], found.horizontal)
    waves = radius[radius > 0]
    return {band.name for band in BANDS if bool(((waves >= band.low) & (waves < band.high)).any())}


def _measured_means(found: SensitivityMap) -> dict[str, float]:
    return {band: value for band, value in band_means(found).items() if band in _measured_bands(found)}


def _most_sensitive(found: SensitivityMap) -> str:
    means = _measured_means(found)
    return max(means, key=means.__getitem__)


def _preferred_band(found: SpectrumFigures) -> tuple[str, float]:
    """Return the band in which a change has most beyond white noise, and how many times noise's share that is."""
    ratios = {name: share / found.white_band_shares[name] for name, share in found.band_shares.items()}
    band = max(ratios, key=ratios.__getitem__)
    return band, ratios[band]


def _times_as_far(value: float, reference: float) -> str:
    """Return how a mean change stands beside another one.

    Example:
        >>> _times_as_far(0.1, 0.2), _times_as_far(0.2, 0.2), _times_as_far(0.1, 0.0)
        ('0.50 times as far as', 'about as far as', 'farther than')
    """
    if abs(value - reference) <= _NEARLY * reference:
        return "about as far as"
    return f"{value / reference:.2f} times as far as" if reference > 0 else "farther than"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _beside(share: float, reference: float) -> str:
    """Return how a share stands beside another one.

    Example:
        >>> _beside(0.64, 0.8), _beside(0.8, 0.8)
        ('less than', 'about')
    """
    if not math.isfinite(share) or abs(share - reference) <= _NEARLY * reference:
        return "about"
    return "less than" if share < reference else "more than"


def _lead(point: PointSummary) -> float | None:
    """Return by how much the attack's change has grown more than noise's; None without either."""
    kinds = [kind for kind in point.relative if kind != NOISE]
    if not kinds or NOISE not in point.relative or not point.relative[NOISE].mean:
        return None
    lead = point.relative[kinds[0]].mean / point.relative[NOISE].mean
    return lead if math.isfinite(lead) else None
