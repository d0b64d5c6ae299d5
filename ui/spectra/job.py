"""What the page of spectra computes, as jobs. Knows nothing of Streamlit."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from robustiqa_core.attacks import Attack, AttackResult, AttackStep, run
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.report import attack_name
from robustiqa_core.images.photo import Photo, encode_png, read_image
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.models.card import ModelCard
from robustiqa_core.scorer import Scorer
from robustiqa_core.spectra import (
    Growth,
    Norms,
    SensitivityMap,
    SensitivitySettings,
    arrows,
    assemble,
    density_map,
    follow_change,
    measure_change,
    measure_sensitivity,
)
from robustiqa_core.spectra.probes import measuring_points, middles
from ui.shell.model_names import model_title
from ui.spectra.outcome import (
    Change,
    LayersOutcome,
    PerturbationOutcome,
    Ran,
    SensitivityOutcome,
    SpectraOutcome,
    SpectraStep,
)
from ui.spectra.recipe import Layers, Perturbation, Sensitivity, SpectraRecipe

Model = tuple[ModelCard, Scorer]
Found = TypeVar("Found")
Steps = Generator[SpectraStep, None, Found]
"""Yields steps and returns what was found."""

LAYERS_SHARE: dict[Norms, float] = {"none": 0.2, "stage": 0.7, "all": 0.95}
"""About how much of the time of the layers is spent after the attack."""


def spectra_records(
    recipe: SpectraRecipe, photos: Sequence[PhotoFile], models: Sequence[Model], device: torch.device
) -> Iterator[SpectraStep | SpectraOutcome]:
    """Yield the steps of a run, and its outcome.

    Args:
        recipe: what is run.
        photos: the recipe's photos.
        models: the recipe's models with their cards, on `device`.
        device: where to run.

    Raises:
        RobustIQAError: as `attacks.run`, `measure_sensitivity` and `measure_amplification`.
    """
    started = time.perf_counter()
    yield SpectraStep(0.0, "Reading the photos")
    read = [read_image(photo, max_side=recipe.max_side) for photo in photos]

    def ran() -> Ran:
        return Ran(recipe, tuple(map(str, photos)), str(device), time.perf_counter() - started)

    match recipe.question:
        case Perturbation(attack):
            places = [str(photo) for photo in photos]
            changes = yield from _changes(attack, dict(zip(places, read, strict=True)), models, device)
            yield PerturbationOutcome(ran(), tuple(changes))
        case Sensitivity(waves):
            images = middles([photo.images for photo in read]).to(device)
            maps = yield from _maps(waves, images, models)
            yield SensitivityOutcome(ran(), maps, (images.shape[3], images.shape[2]))
        case Layers():
            growths = yield from _growths(recipe.question, read, models, device)
            yield LayersOutcome(ran(), growths)


def _changes(
    attack: Attack, photos: dict[str, Photo], models: Sequence[Model], device: torch.device
) -> Steps[list[Change]]:
    found: list[Change] = []
    total = len(models) * len(photos)
    for card, scorer in models:
        for place, photo in photos.items():
            begin, doing = len(found) / total, _doing(card, len(found) % len(photos), len(photos))
            result = yield from _attacked(attack, scorer, photo.images.to(device), begin, begin + 1 / total, doing)
            found.append(_change(card.stem, place, photo, result))
    return found


def _change(stem: str, place: str, photo: Photo, result: AttackResult) -> Change:
    stored = result.rounded.cpu()
    change = measure_change(photo.images, stored, flow=result.flow)
    return Change(
        model=stem,
        photo=place,
        clean_score=result.clean_scores.item(),
        rounded_score=result.rounded_scores.item(),
        size=photo.size,
        clean_png=encode_png(photo.images[0]),
        adversarial_png=encode_png(stored[0]),
        figures=change.figures,
        profile=change.profile,
        density=density_map(change.spectrum.energies[0]),
        flow=change.flow_figures,
        arrows=None if change.flow is None else arrows(change.flow, along=20),
    )


def _maps(waves: SensitivitySettings, images: Tensor, models: Sequence[Model]) -> Steps[dict[str, SensitivityMap]]:
    maps: dict[str, SensitivityMap] = {}
    height, width = images.shape[-2:]
    for card, scorer in models:
        records = []
        for record in measure_sensitivity(scorer, images, waves):
            records.append(record)
            share = (len(maps) + len(records) / waves.frequencies) / len(models)
            yield SpectraStep(share, f"{model_title(card)}: frequency {len(records)} of {waves.frequencies}")
        maps[card.stem] = assemble(records, grid=waves.grid, height=height, width=width)
    return maps


def _growths(
    question: Layers, photos: Sequence[Photo], models: Sequence[Model], device: torch.device
) -> Steps[dict[str, tuple[Growth, ...]]]:
    found: dict[str, tuple[Growth, ...]] = {}
    part = 1 / (len(models) * len(photos))
    for card, scorer in models:
        growths: list[Growth] = []
        for index, photo in enumerate(photos):
            begin = (len(found) * len(photos) + index) * part
            records = _photo_growths(question, card, scorer, photo.images.to(device), begin, part)
            growths += [replace(growth, photo=index) for growth in (yield from records)]
        found[card.stem] = tuple(growths)
    return found


def _photo_growths(
    question: Layers, card: ModelCard, scorer: Scorer, images: Tensor, begin: float, part: float
) -> Steps[list[Growth]]:
    """Follow the change of one photo, and noise of its size, through one model."""
    attack, title = question.attack, model_title(card)
    if not isinstance(scorer, nn.Module):
        raise ConfigurationError(
            f"expected a network with layers to follow a change through, got {title}, which is a function; "
            "choose another model"
        )
    points = measuring_points(scorer)
    middle = begin + part * (1 - LAYERS_SHARE[question.norms])
    result = yield from _attacked(attack, scorer, images, begin, middle, title)
    growths: list[Growth] = []
    for growth in follow_change(
        scorer,
        images,
        result.adversarial,
        kind=attack_name(attack),
        score_range=scorer.score_range,
        norms=question.norms,
        seed=getattr(attack, "seed", 0),
    ):
        growths.append(growth)
        share = middle + (begin + part - middle) * len(growths) / (len(points) + 2)
        yield SpectraStep(share, f"{title}: {growth.point.replace('_', ' ')}")
    return growths


def _attacked(
    attack: Attack, scorer: Scorer, images: Tensor, begin: float, end: float, doing: str
) -> Steps[AttackResult]:
    """Attack one photo, from one share of the work to another."""
    record: AttackStep | AttackResult | None = None
    for record in run(attack, scorer, images):
        if isinstance(record, AttackStep):
            share = begin + (end - begin) * min(1.0, record.step / attack.steps)
            yield SpectraStep(share, f"{doing}, step {record.step} of {attack.steps}")
    return cast(AttackResult, record)


def _doing(card: ModelCard, index: int, photos: int) -> str:
    return model_title(card) if photos == 1 else f"{model_title(card)}: photo {index + 1} of {photos}"
