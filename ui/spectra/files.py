"""The numbers of the page of spectra as files. Knows nothing of Streamlit."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from robustiqa_core.attacks import spell_attack
from robustiqa_core.cli.spectra_options import without_nan
from robustiqa_core.spectra import PointSummary, band_means, summarise
from ui.attacks.texts import attack_text
from ui.shell.model_names import place_name
from ui.spectra.outcome import LayersOutcome, PerturbationOutcome, SensitivityOutcome, SpectraOutcome
from ui.spectra.recipe import Sensitivity

_NOTHING = "–"
"""Stands in a table where nothing was measured."""


def outcome_csv(outcome: SpectraOutcome) -> bytes:
    """Return the numbers behind the figures as CSV: a line for each ring, cell or point of each model and photo."""
    return pd.DataFrame(_lines(outcome)).to_csv(index=False).encode()


def outcome_json(outcome: SpectraOutcome) -> bytes:
    """Return all numbers as JSON, named as those that the command prints."""
    recipe = outcome.ran.recipe
    asked: dict[str, Any] = {"photos": outcome.ran.photos, "models": recipe.models, "max_side": recipe.max_side}
    if isinstance(recipe.question, Sensitivity):
        asked["settings"] = asdict(recipe.question.waves)
    else:
        asked["attack"] = spell_attack(recipe.question.attack)
    value = {**asked, **_values(outcome), "device": outcome.ran.device, "command": outcome.ran.command}
    return json.dumps(without_nan(value), indent=2, ensure_ascii=False, allow_nan=False).encode()


def growth_table(points: Sequence[PointSummary]) -> pd.DataFrame:
    """Return what was measured at the points of one model as texts for people, means over the photos."""
    table = pd.DataFrame([_growth_line(point) for point in points])
    return table.loc[:, (table != _NOTHING).any()]


def _growth_line(point: PointSummary) -> dict[str, str]:
    names = {kind: attack_text(kind).name for kind in point.relative}
    line = {"Place": place_name(point.point)}
    line |= {f"{names[kind]}, since input": f"{spread.mean:.2f}" for kind, spread in point.relative.items()}
    line |= {f"{names[kind]}, in stage": _text(point.stage.get(kind)) for kind in point.relative}
    return {**line, "Largest singular value": _text(point.stage_norm), "Paper's ratio": _text(point.dimension_ratio)}


def _text(spread: Any) -> str:
    return _NOTHING if spread is None else f"{spread.mean:.2f}"


def _lines(outcome: SpectraOutcome) -> list[dict[str, object]]:
    match outcome:
        case PerturbationOutcome():
            return [
                {"model": change.model, "photo": change.photo, "radius": radius, "energy_relative_to_noise": energy}
                for change in outcome.changes
                for radius, energy in zip(change.profile.radius.tolist(), change.profile.relative.tolist(), strict=True)
            ]
        case SensitivityOutcome():
            return [
                {"model": stem, "vertical": vertical, "horizontal": horizontal, "change_of_score_range": change}
                for stem, found in outcome.maps.items()
                for vertical, row in zip(found.vertical.tolist(), found.changes.mean(0).tolist(), strict=True)
                for horizontal, change in zip(found.horizontal.tolist(), row, strict=True)
            ]
        case LayersOutcome():
            return [
                {
                    "model": stem,
                    "photo": outcome.ran.photos[growth.photo],
                    "point": growth.point,
                    **{f"relative_{kind}": value for kind, value in growth.relative.items()},
                    **{f"stage_{kind}": value for kind, value in growth.stage.items()},
                    "stage_norm": growth.stage_norm,
                    "dimension_ratio": growth.dimension_ratio,
                }
                for stem, growths in outcome.growths.items()
                for growth in growths
            ]


def _values(outcome: SpectraOutcome) -> dict[str, object]:
    match outcome:
        case PerturbationOutcome():
            return {
                "runs": [
                    {
                        "model": change.model,
                        "image": change.photo,
                        "clean_score": change.clean_score,
                        "rounded_score": change.rounded_score,
                        **asdict(change.figures),
                        "profile_radius": change.profile.radius.tolist(),
                        "profile": change.profile.relative.tolist(),
                        "flow": None if change.flow is None else asdict(change.flow),
                    }
                    for change in outcome.changes
                ]
            }
        case SensitivityOutcome():
            return {
                "width": outcome.size[0],
                "height": outcome.size[1],
                "runs": [
                    {
                        "model": stem,
                        "band_means": band_means(found),
                        "vertical": found.vertical.tolist(),
                        "horizontal": found.horizontal.tolist(),
                        "changes": found.changes.mean(0).tolist(),
                        "kept": float(found.kept.mean()),
                    }
                    for stem, found in outcome.maps.items()
                ],
            }
        case LayersOutcome():
            return {
                "runs": [
                    {"model": stem, "points": [asdict(point) for point in summarise(growths)]}
                    for stem, growths in outcome.growths.items()
                ]
            }
