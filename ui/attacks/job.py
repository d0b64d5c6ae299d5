"""An attack as a job: the records that the live view follows, and the outcome that is kept.

Knows nothing of Streamlit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from robustiqa_core.attacks import AttackResult, AttackStep, run
from robustiqa_core.attacks.objective import score
from robustiqa_core.evaluation.report import AttackReport, attack_report
from robustiqa_core.images.photo import Photo, encode_png
from robustiqa_core.scorer import Scorer
from ui.attacks.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Start:
    """The first record: the photo before the attack.

    Args:
        clean_score: of the photo, in the model's unit.
    """

    clean_score: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last record: figures and encoded images only, so that many outcomes can be kept.

    Args:
        recipe: what was run.
        report: all figures.
        notes: how the photo differs from its file; sentences.
        clean_png: the attacked photo.
        adversarial_png: the adversarial image; these bytes are shown and downloaded.
    """

    recipe: Recipe
    report: AttackReport
    notes: tuple[str, ...]
    clean_png: bytes
    adversarial_png: bytes

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.report.width, self.report.height


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of the curve that the live view draws.

    Args:
        step: number of finished steps; None for the photo before the attack.
        score: of the image of this step.
        best_score: of the best image so far.
        run: which attack of the job it belongs to, where there are several.
    """

    step: int | None
    score: float
    best_score: float
    run: int = 0


def attack_results(
    recipe: Recipe, scorer: Scorer, photo: Photo, device: torch.device
) -> Iterator[Start | AttackStep | AttackResult]:
    """Yield the clean score, each step, and the tensors of an attack on one photo.

    Args:
        recipe: what to run.
        scorer: the recipe's model, on `device`.
        photo: the recipe's photo.
        device: where to run.

    Raises:
        RobustIQAError: as `attacks.run`.
    """
    images = photo.images.to(device)
    yield Start(float(score(scorer, images)))
    yield from run(recipe.attack, scorer, images)


def attack_records(
    recipe: Recipe, scorer: Scorer, photo: Photo, device: torch.device
) -> Iterator[Start | AttackStep | Outcome]:
    """Yield the clean score, each step, and the outcome of an attack on one photo; see `attack_results`."""
    for record in attack_results(recipe, scorer, photo, device):
        yield outcome_of(recipe, photo, record) if isinstance(record, AttackResult) else record


def outcome_of(recipe: Recipe, photo: Photo, result: AttackResult) -> Outcome:
    """Return the figures and the encoded images of an attack.

    Args:
        recipe: what was run.
        photo: that was attacked.
        result: what `attack_results` ended with.
    """
    report = attack_report(
        result,
        recipe.attack,
        model=recipe.model,
        variant=recipe.variant,
        image=recipe.photo.place,
        image_sha256=photo.sha256,
        command=recipe.command(device=str(result.images.device)),
    )
    return Outcome(recipe, report, photo.notes, encode_png(result.images[0]), encode_png(result.rounded[0]))


def curve_point(record: Start | AttackStep | Outcome) -> CurvePoint | None:
    """Return what the curve shows of a record; None for the outcome, which adds no point."""
    if isinstance(record, Start):
        return CurvePoint(None, record.clean_score, record.clean_score)
    if isinstance(record, AttackStep):
        return CurvePoint(record.step, float(record.scores[0]), float(record.best_scores[0]))
    return None
