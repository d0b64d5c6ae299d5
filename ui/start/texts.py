"""What the live result of the first page means, in plain words, and its numbers as a table. No Streamlit."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robustiqa_core.evaluation.report import AttackReport
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.verdict import LEAST_CHANGE, LEAST_MOVED, rates_as_before
from ui.attacks.batch_job import BatchOutcome
from ui.attacks.verdict import NO_CHANGE, appearance
from ui.shell.verdicts import broken

_LESS = "times less than the baseline"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model says of the photo and of its twins.

    Args:
        photo: name of the photo.
        stem: of the model.
        name: what people call it.
        clean: score of the photo.
        attacked: score of the twin that was made against this very model.
        transferred: score of the twin that was made against the baseline.
        band: lowest and highest score that the model gave to ordinary photos.
        command: gives the same numbers.
    """

    photo: str
    stem: str
    name: str
    clean: float
    attacked: float
    transferred: float
    band: ScoreRange
    command: str

    @property
    def moved(self) -> float:
        """Change of the score by the attack on this model."""
        return self.attacked - self.clean

    @property
    def share(self) -> float:
        """The same as a share of the model's usual range."""
        return self.moved / self.band.width


def answers_of(
    outcome: BatchOutcome, names: Mapping[str, str], bands: Mapping[str, ScoreRange]
) -> tuple[tuple[Answer, ...], ...]:
    """Return the answers of each photo: those of the models, the attacked baseline first.

    Args:
        outcome: of the live run.
        names: what people call each model, by stem.
        bands: of each model, by stem.
    """
    return tuple(
        tuple(
            Answer(
                photo=run.recipe.photo.name,
                stem=stem,
                name=names[stem],
                clean=run.report.clean_score,
                attacked=run.report.rounded_score,
                transferred=photo.crossed[0][number],
                band=bands[stem],
                command=run.report.command,
            )
            for number, (stem, run) in enumerate(zip(outcome.recipe.stems, photo.runs, strict=True))
        )
        for photo in outcome.photos
    )


def headline(photos: Sequence[Sequence[Answer]], *, agreement: float | None = None) -> str:
    """Return how far the hardened model moved beside the baseline on each photo.

    That it no longer rates photos as before, or that this is not known, is said first.

    Args:
        photos: the answers of each photo.
        agreement: SROCC of the hardened model's scores with the baseline's; None where it was not measured.
    """
    first = photos[0]
    if len(first) == 1:
        moved = " and ".join(f"{answers[0].share:+.0%}" for answers in photos)
        return f"The attack moves the score by {moved} of its usual range."
    agrees = rates_as_before(agreement)
    if agrees is False and agreement is not None:
        return broken(first[1].name, agreement)
    unknown = "" if agrees else " Whether it still rates photos as before is not known."
    # The photo on which hardening helps more comes first.
    told = [
        compared(*answers) for answers in sorted(photos, key=lambda pair: abs(pair[1].share / (pair[0].share or 1)))
    ]
    if len(set(told)) == 1:
        where = "both photos" if len(told) == 2 else "this photo"
        return f"Under the same attack the hardened model {told[0]}, on {where}.{unknown}"
    weaker = f"but {told[1]}"
    if all(text.endswith(_LESS) for text in told):
        weaker = f"but only {told[1].removeprefix('moved ').removesuffix(' than the baseline')}"
    return f"Under the same attack the hardened model {told[0]} on one photo, {weaker} on the other.{unknown}"


def compared(baseline: Answer, hardened: Answer) -> str:
    """Return how far the hardened model moved beside the baseline, each as a share of its own usual range.

    Example:
        >>> band = ScoreRange(0.0, 1.0)
        >>> answers = [Answer("cat", "a", "A", 0.2, 0.2 + moved, 0.2, band, "") for moved in (0.6, 0.1)]
        >>> compared(*answers)
        'moved 6.0 times less than the baseline'
    """
    before, after = abs(baseline.share), abs(hardened.share)
    if abs(baseline.moved) < NO_CHANGE:
        return "cannot be compared with a baseline that did not move"
    if after < LEAST_MOVED <= before:
        return "hardly moved"
    if after <= (1.0 - LEAST_CHANGE) * before:
        return f"moved {before / after:.1f} {_LESS}"
    if after >= (1.0 + LEAST_CHANGE) * before:
        return f"moved {after / before:.1f} times as far as the baseline"
    return "moved about as far as the baseline"


def photo_sentence(report: AttackReport, answer: Answer, *, trained: bool) -> str:
    """Return what happened to the photo and to the attacked baseline's score.

    Args:
        report: of the attack on the baseline.
        answer: of the baseline.
        trained: whether its usual range is that of its training photos.
    """
    before, after = f"{answer.clean:.2f}", f"{answer.attacked:.2f}"
    if abs(answer.moved) < NO_CHANGE:
        return f"The attack had no effect: the score stayed at {before}."
    verb = "rose" if answer.moved > 0 else "fell"
    return (
        f"{appearance(report.psnr, report.ssim)}, and its score {verb} from {before} to {after}, "
        f"{_beside_range(answer, trained=trained)}."
    )


def _beside_range(answer: Answer, *, trained: bool) -> str:
    band = answer.band
    if answer.attacked > band.high:
        return f"above {band.high:.2f}, " + ("the score of the best training photo" if trained else "its usual highest")
    if answer.attacked < band.low:
        return f"below {band.low:.2f}, " + ("the score of the worst training photo" if trained else "its usual lowest")
    return f"within its usual range of {band.low:.2f} to {band.high:.2f}"


def setting_words(baseline: Answer, hardened: Answer | None, levels: float) -> str:
    """Return what was done to the photos, and how the scores are to be read.

    Args:
        baseline: an answer of the attacked baseline.
        hardened: an answer of the hardened model, where there is one.
        levels: largest change of a colour value, in 255ths.
    """
    band = baseline.band
    text = (
        f"{baseline.name} rates ordinary photos from {band.low:.2f} to {band.high:.2f}, its usual range; "
        f"higher = better photo. The attack moves no colour value by more than {levels:.0f} of 255 steps."
    )
    if hardened is None:
        return text
    return f"{text} {hardened.name} is attacked directly, with the same strength and full access."


def hardened_words(baseline: Answer, hardened: Answer) -> str:
    """Return how the hardened model answers the same attack, aimed at itself, and the twin of the baseline."""
    return (
        f"{hardened.name} {compared(baseline, hardened)}: from {hardened.clean:.2f} to {hardened.attacked:.2f}, "
        f"{hardened.share:+.0%} of its usual range against {baseline.share:+.0%}. To the twin that was made against "
        f"the baseline it gives {hardened.transferred:.2f}."
    )


def table(answers: Sequence[Answer], titles: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the numbers as the columns of a table.

    Args:
        answers: of all photos.
        titles: of the photos, by name.
    """
    return {
        "Attacked photo": [titles[answer.photo] for answer in answers],
        "Model": [answer.name for answer in answers],
        "Clean score": [f"{answer.clean:.3f}" for answer in answers],
        "Twin made against the first model": [f"{answer.transferred:.3f}" for answer in answers],
        "Twin made against this model": [f"{answer.attacked:.3f}" for answer in answers],
        "Moved, share of its usual range": [f"{answer.share:+.0%}" for answer in answers],
    }


def answers_csv(answers: Sequence[Answer]) -> str:
    """Return the numbers, unrounded, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [_plain(answer) for answer in answers]
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


def answers_json(answers: Sequence[Answer]) -> str:
    """Return the numbers, unrounded, as JSON."""
    return json.dumps([_plain(answer) for answer in answers], indent=2)


def _plain(answer: Answer) -> dict[str, object]:
    return {
        "photo": answer.photo,
        "model": answer.stem,
        "clean_score": answer.clean,
        "adversarial_score": answer.attacked,
        "transferred_score": answer.transferred,
        "range_low": answer.band.low,
        "range_high": answer.band.high,
        "command": answer.command,
    }
