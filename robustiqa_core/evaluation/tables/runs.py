"""Clean and attacked scores of the same photos: what all figures are computed from, wherever they came from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.tables.attack_grid import label_attack
from robustiqa_core.evaluation.tables.rows import TableRow
from robustiqa_core.metrics.pairing import Array, paired
from robustiqa_core.metrics.robustness import UNMOVED, worst_case
from robustiqa_core.scorer import ScoreRange


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRun:
    """One model under one attack of one strength.

    Args:
        model: name of the model.
        attack: name of the attack.
        strength: of the attack, in any one unit; None where it has none.
        images: names of the N photos, all different.
        clean: (N,), scores of the photos.
        attacked: (N,), scores of the attacked photos.
        mos: (N,), human scores, NaN where one is not known; None where none is.

    Raises:
        InputError: an image twice, or scores that do not pair.
    """

    model: str
    attack: str
    strength: float | None
    images: tuple[str, ...]
    clean: Array
    attacked: Array
    mos: Array | None = None

    def __post_init__(self) -> None:
        paired(self.clean, self.attacked, least=1)
        seen: set[str] = set()
        for image in self.images:
            if image in seen:
                raise InputError(
                    f"expected each image once for {self.name}, got {image!r} twice; "
                    "tell the runs apart in the columns attack and strength"
                )
            seen.add(image)

    @property
    def name(self) -> str:
        """Model, attack and strength, for people."""
        return " ".join(
            filter(None, [self.model, self.attack, "" if self.strength is None else f"{self.strength:.4g}"])
        )

    def over(self, images: Sequence[str]) -> "ScoreRun":
        """Return the run over some of its photos, in the order given."""
        places = {image: place for place, image in enumerate(self.images)}
        chosen = [places[image] for image in images]
        mos = None if self.mos is None else self.mos[chosen]
        return replace(self, images=tuple(images), clean=self.clean[chosen], attacked=self.attacked[chosen], mos=mos)


def common_images(runs: Sequence[ScoreRun]) -> tuple[str, ...]:
    """Return the photos that all runs have, in the order of the first."""
    shared = set[str].intersection(*(set(run.images) for run in runs))
    return tuple(image for image in runs[0].images if image in shared)


def runs_of_rows(rows: Iterable[TableRow]) -> tuple[ScoreRun, ...]:
    """Return the runs of a table: the scores of the rounded images, in the order of the rows.

    With the scores of other models in `transfer`, each of those is one more run, `pgd from linearity-baseline`.
    """
    collected: dict[tuple[str, str, float | None], list[tuple[str, float, float, float | None]]] = {}
    listed = list(rows)
    clean = {(row.stem, row.report.image): row.report.clean_score for row in listed}
    for row in listed:
        report = row.report
        attack = label_attack(report.attack, report.settings)
        line = (report.image, report.clean_score, report.rounded_score, row.mos)
        collected.setdefault((row.stem, attack, row.strength), []).append(line)
        for other, score in row.transfer.items():
            if (other, report.image) in clean:
                line = (report.image, clean[other, report.image], score, row.mos)
                collected.setdefault((other, f"{attack} from {row.stem}", row.strength), []).append(line)
    return tuple(make_run(*name, lines) for name, lines in collected.items())


def make_run(
    model: str,
    attack: str,
    strength: float | None,
    lines: Sequence[tuple[str, float, float, float | None]],
) -> ScoreRun:
    """Return a run from lines of (image, clean, attacked, mos)."""
    images, clean, attacked, mos = zip(*lines, strict=True)
    return ScoreRun(
        model=model,
        attack=attack,
        strength=strength,
        images=images,
        clean=np.array(clean, dtype=np.float64),
        attacked=np.array(attacked, dtype=np.float64),
        mos=None if set(mos) == {None} else np.array([np.nan if one is None else one for one in mos]),
    )


def clean_ranges(runs: Iterable[ScoreRun]) -> dict[str, ScoreRange]:
    """Return the range of each model's clean scores over all its runs.

    Raises:
        InputError: a model gives all photos the same score, so that it has no range.
    """
    scores: dict[str, list[float]] = {}
    for run in runs:
        scores.setdefault(run.model, []).extend(run.clean.tolist())
    for model, values in scores.items():
        if min(values) == max(values):
            raise InputError(
                f"expected different clean scores of model {model!r}, got {values[0]:g} for every image; "
                "add images, or check the column clean"
            )
    return {model: ScoreRange(min(values), max(values)) for model, values in scores.items()}


def check_same_clean(runs: Iterable[ScoreRun]) -> None:
    """Raise InputError where runs that claim one model give a photo different clean scores.

    Then they are not of one model, or not of one set of photos, and comparing their attacks means nothing. Differences
    below 1e-3 of the model's clean range are let pass, as other rounding.
    """
    listed = list(runs)
    ranges = clean_ranges(listed)
    first: dict[tuple[str, str], tuple[float, ScoreRun]] = {}
    for run in listed:
        for image, score in zip(run.images, run.clean.tolist(), strict=True):
            known, before = first.setdefault((run.model, image), (score, run))
            if abs(score - known) >= UNMOVED * ranges[run.model].width:
                raise InputError(
                    f"expected one clean score of image {image!r} by model {run.model!r}, got {known:g} in the run "
                    f"{before.name!r} and {score:g} in {run.name!r}; these runs are of different models: "
                    "give the models different names or correct the table"
                )


def worst_runs(runs: Sequence[ScoreRun]) -> tuple[ScoreRun, ...]:
    """Return, for each model and strength with several attacks, the run of each photo's worst attack."""
    groups: dict[tuple[str, float | None], list[ScoreRun]] = {}
    for run in runs:
        groups.setdefault((run.model, run.strength), []).append(run)
    return tuple(_worst(group) for group in groups.values() if len(group) > 1 and common_images(group))


def _worst(group: Sequence[ScoreRun]) -> ScoreRun:
    same = [run.over(common_images(group)) for run in group]
    attacked = worst_case(same[0].clean, [run.attacked for run in same])
    return replace(same[0], attack=f"worst of {len(group)}", attacked=attacked)
