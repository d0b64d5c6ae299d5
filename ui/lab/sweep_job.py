"""An attack at every strength, on one or two models, next to random noise. Knows nothing of Streamlit."""

import csv
import io
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch

from robustiqa_core.attacks import Attack, AttackStep, Noise, make_attack, run, spell_attack
from robustiqa_core.evaluation.report import attack_name
from robustiqa_core.files import as_word
from robustiqa_core.images.photo import MAX_SIDE, Photo
from robustiqa_core.own_models import OWN
from robustiqa_core.scorer import Scorer
from ui.attacks.recipe import PhotoChoice, digest_of

STRENGTHS: dict[str, tuple[float, ...]] = {
    "eps": tuple(levels / 255 for levels in (0.5, 1, 2, 4, 8, 16)),
    "max_flow": (0.25, 0.5, 1.0, 2.0, 4.0),
    "min_ssim": (0.999, 0.995, 0.99, 0.98, 0.95, 0.9),
}
"""The values tried for each setting of strength, weakest first."""


@dataclass(frozen=True, slots=True)
class SweepRecipe:
    """Everything that decides the numbers of a sweep.

    Args:
        photo: what is attacked.
        models: (architecture, variant) of each model.
        attack: how; its own strength does not count.
    """

    photo: PhotoChoice
    models: tuple[tuple[str, str], ...]
    attack: Attack

    @property
    def budget(self) -> str:
        """The setting that says how strong the attack is."""
        return budget_of(self.attack)

    def attacks(self) -> tuple[tuple[float, Attack], ...]:
        """Return (strength, attack), weakest first: the attack at each strength, and noise of the same size.

        Noise has no counterpart where the strength is no change of colour values.
        """
        settings = asdict(self.attack)
        found: list[tuple[float, Attack]] = []
        for strength in STRENGTHS[self.budget]:
            found.append((strength, make_attack(attack_name(self.attack), {**settings, self.budget: strength})))
            if self.budget == "eps" and not isinstance(self.attack, Noise):
                found.append((strength, Noise(strength, norm=settings.get("norm", "linf"))))
        return tuple(found)

    def key(self, weights: Sequence[str]) -> str:
        """Return a digest of everything here, under which the result is kept.

        Args:
            weights: digest of the weights of each model.
        """
        attacks = [spell_attack(attack) for _, attack in self.attacks()]
        return digest_of("sweep", asdict(self.photo), self.models, attacks, weights)

    def command(self, *, device: str) -> str:
        """Return the command line that gives the same numbers."""
        words = ["robustiqa", "evaluate", as_word(self.photo.place)]
        for model, variant in self.models:
            words += ["--model", model if variant == OWN else f"{model}-{variant}"]
        for _, attack in self.attacks():
            words += ["--attack", spell_attack(attack)]
        words += ["--max-side", str(self.photo.max_side)] if self.photo.max_side < MAX_SIDE else []
        return shlex.join([*words, "--device", device, "--out", "table.csv"])


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One attack of a sweep.

    Args:
        model: stem of the model's card.
        attack: key of `ATTACKS`.
        strength: value of the sweep's budget.
        clean_score: of the photo.
        score: of the attacked photo as a PNG file stores it.
    """

    model: str
    attack: str
    strength: float
    clean_score: float
    score: float


@dataclass(frozen=True, slots=True)
class SweepStep:
    """How far a sweep is.

    Args:
        share: of the work that is done, 0 to 1.
        point: that was just found; None in the middle of an attack.
    """

    share: float
    point: SweepPoint | None = None


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """The last record.

    Args:
        recipe: what was run.
        points: weakest first.
        device: where it ran.
    """

    recipe: SweepRecipe
    points: tuple[SweepPoint, ...]
    device: str


def budget_of(attack: Attack) -> str:
    """Return the name of the setting that says how strong an attack is."""
    return next(name for name in STRENGTHS if hasattr(attack, name))


def sweep_records(
    recipe: SweepRecipe, scorers: Sequence[Scorer], photo: Photo, device: torch.device
) -> Iterator[SweepStep | SweepOutcome]:
    """Yield each step, each point, and the outcome.

    Args:
        recipe: what to run.
        scorers: the recipe's models, on `device`.
        photo: the recipe's photo.
        device: where to run.

    Raises:
        RobustIQAError: as `attacks.run`.
    """
    images, attacks, points = photo.images.to(device), recipe.attacks(), list[SweepPoint]()
    total = sum(attack.steps for _, attack in attacks) * len(scorers)
    done = 0
    for strength, attack in attacks:
        for (model, variant), scorer in zip(recipe.models, scorers, strict=True):
            for record in run(attack, scorer, images):
                if isinstance(record, AttackStep):
                    yield SweepStep(min(1.0, (done + record.step) / total))
                    continue
                clean, score = float(record.clean_scores[0]), float(record.rounded_scores[0])
                points.append(SweepPoint(f"{model}-{variant}", attack_name(attack), strength, clean, score))
                done += attack.steps
                yield SweepStep(done / total, points[-1])
    yield SweepOutcome(recipe, tuple(points), str(device))


def point_of(record: SweepStep | SweepOutcome) -> SweepPoint | None:
    """Return what the curve shows of a record."""
    return record.point if isinstance(record, SweepStep) else None


def sweep_csv(recipe: SweepRecipe, points: Sequence[SweepPoint]) -> str:
    """Return the points as CSV, one a row; strengths in the unit of the attack's setting."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["model", "attack", recipe.budget, "clean_score", "score", "gain"])
    for point in points:
        gain = point.score - point.clean_score
        writer.writerow([point.model, point.attack, point.strength, point.clean_score, point.score, gain])
    return file.getvalue()
