"""A comparison as a job: the records that the page follows, and its outcome. Knows nothing of Streamlit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from robustiqa_core.attacks import Attack, AttackStep, make_attack
from robustiqa_core.evaluation.tables.attack_grid import label_attack
from robustiqa_core.evaluation.tables.evaluate import evaluate_steps
from robustiqa_core.evaluation.tables.plan import TableModel, TablePlan, in_order
from robustiqa_core.evaluation.tables.rows import Skipped, TableRow
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.models.card import ModelCard
from robustiqa_core.scorer import Scorer
from ui.attacks import job
from ui.attacks.recipe import PhotoChoice, Recipe
from ui.compare.recipe import CompareRecipe
from ui.shell.memory import import_table_metrics

WORST = 3
"""Photos that are shown as pictures."""


@dataclass(frozen=True, slots=True)
class Point:
    """What the scatter shows of a row.

    Args:
        model: model and variant.
        attack: name of the attack with what is not its default, without its strength.
        strength: eps as a fraction of [0, 1]; None where the attack has none.
        photo: name of the photo.
        clean: its score, as a share of the model's usual range.
        attacked: likewise, of the stored adversarial photo.
        key: of the row.
    """

    model: str
    attack: str
    strength: float | None
    photo: str
    clean: float
    attacked: float
    key: str


@dataclass(frozen=True, slots=True)
class CompareStep:
    """The state of a comparison at a point where it can be stopped.

    Args:
        done: rows that are there, the one at work by the share of its steps.
        total: rows that there will be.
        doing: what it is about to do, in words.
    """

    done: float
    total: int
    doing: str


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row as it was computed.

    Args:
        step: how far the comparison is.
        row: the row.
    """

    step: CompareStep
    row: TableRow


@dataclass(frozen=True, slots=True)
class CompareOutcome:
    """The last record.

    Args:
        recipe: what was compared.
        rows: of the table, in its order.
        skipped: what is missing from it.
        worst: the photos whose scores moved farthest, worst first, each under its worst attack.
        photos: the photos by the name that they have in the rows.
        device: where it ran.
    """

    recipe: CompareRecipe
    rows: tuple[TableRow, ...]
    skipped: tuple[Skipped, ...]
    worst: tuple[job.Outcome, ...]
    photos: Mapping[str, PhotoFile]
    device: str

    @property
    def places(self) -> list[str]:
        """Paths of the photos, for the command line."""
        return list(self.photos)


CompareRecord = CompareStep | NewRow | CompareOutcome


def compare_records(
    recipe: CompareRecipe,
    photos: Sequence[PhotoFile],
    models: Sequence[tuple[ModelCard, Scorer]],
    device: torch.device,
) -> Iterator[CompareRecord]:
    """Yield each row of a comparison as it is computed, and the outcome.

    Args:
        recipe: what is compared.
        photos: the recipe's photos.
        models: the recipe's models with their cards, on `device`.
        device: where to run.

    Raises:
        RobustIQAError: as `evaluate_steps`.
    """
    places = {str(photo): photo for photo in photos}
    plan = TablePlan(
        models=tuple(TableModel(card.model, card.variant, scorer, card.sha256) for card, scorer in models),
        attacks=recipe.attacks.grid(),
        device=device,
        batch_size=recipe.batch_size,
        max_side=recipe.max_side,
        transfer=recipe.transfer,
        command=recipe.command(list(places), device=str(device)),
    )
    rows: list[TableRow] = []
    skipped: list[Skipped] = []
    yield CompareStep(0, recipe.rows, "Scoring the first photo")
    import_table_metrics()
    for record in evaluate_steps(photos, plan):
        if isinstance(record, AttackStep):
            yield _within_a_row(record, len(rows), recipe)
        elif isinstance(record, Skipped):
            skipped.append(record)
        else:
            rows.append(record)
            yield NewRow(CompareStep(len(rows), recipe.rows, f"Row {len(rows)} of {recipe.rows}"), record)
    worst = []
    scorers = {card.stem: scorer for card, scorer in models}
    for row in worst_rows(rows, most=WORST):
        for again in _again(row, places[row.report.image], scorers[row.stem], recipe, device):
            if isinstance(again, job.Outcome):
                worst.append(again)
            else:
                yield CompareStep(len(rows), recipe.rows, "Making pictures of the worst cases")
    ordered = in_order(rows, photos, plan)
    yield CompareOutcome(recipe, tuple(ordered), tuple(skipped), tuple(worst), places, str(device))


def _within_a_row(step: AttackStep, rows: int, recipe: CompareRecipe) -> CompareStep:
    """Return how far a comparison is at a step of an attack; the photos of a batch are attacked together."""
    done = rows + len(step.scores) * step.step / step.steps
    return CompareStep(done, recipe.rows, f"Row {rows + 1} of {recipe.rows}, step {step.step} of {step.steps}")


def _again(
    row: TableRow, photo: PhotoFile, scorer: Scorer, recipe: CompareRecipe, device: torch.device
) -> Iterator[job.Start | AttackStep | job.Outcome]:
    read = read_image(photo, max_side=recipe.max_side)
    return job.attack_records(recipe_of(row, recipe), scorer, read, device)


def recipe_of(row: TableRow, recipe: CompareRecipe) -> Recipe:
    """Return what makes the adversarial photo of a row again."""
    photo = PhotoChoice("upload", row.report.image, row.report.image, recipe.max_side)
    return Recipe(row.report.model, row.report.variant, photo, attack_of(row))


def attack_of(row: TableRow) -> Attack:
    """Return the attack of a row."""
    return make_attack(row.report.attack, row.report.settings)


def share_moved(row: TableRow) -> float:
    """Return how far the score of the stored adversarial photo is from the clean one, in the model's own range."""
    return abs(row.report.gain) / row.score_range.width


def worst_rows(rows: Sequence[TableRow], *, most: int) -> list[TableRow]:
    """Return each photo's row that moved its score farthest, the farthest first.

    Args:
        rows: of a table.
        most: rows to return.
    """
    worst: dict[str, TableRow] = {}
    for row in sorted(rows, key=share_moved, reverse=True):
        worst.setdefault(row.report.image, row)
    return list(worst.values())[:most]


def point_of_row(row: TableRow) -> Point:
    """Return what the scatter shows of a row."""
    report, band = row.report, row.score_range
    return Point(
        model=row.stem,
        attack=label_attack(report.attack, report.settings),
        strength=row.strength,
        photo=report.image,
        clean=(report.clean_score - band.low) / band.width,
        attacked=(report.rounded_score - band.low) / band.width,
        key=row.key,
    )


def point_of(record: CompareRecord) -> Point | None:
    """Return the point that a record adds to the scatter; None where it adds none."""
    return point_of_row(record.row) if isinstance(record, NewRow) else None
