"""What the live result of the first page means, in plain words, and its numbers as a table. No Streamlit."""

import csv
import io
import json
from dataclasses import dataclass

from robustiqa_core.scorer import ScoreRange
from ui.lab_job import LabOutcome
from ui.verdict import NO_CHANGE, appearance

_MUCH_SMALLER = 0.5
"""Share of the baseline's change up to which the hardened model counts as holding."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model says of the photo and of its twins.

    Args:
        stem: of the model.
        name: what people call it.
        clean: score of the photo.
        attacked: score of the twin that was made against this very model.
        transferred: score of the twin that was made against the baseline.
        band: lowest and highest score that the model gave to ordinary photos.
        command: gives the same numbers.
    """

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
        """The same as a share of the model's own scale."""
        return self.moved / self.band.width


def answers_of(outcome: LabOutcome, names: dict[str, str], bands: dict[str, ScoreRange]) -> tuple[Answer, ...]:
    """Return the answer of each model, the attacked baseline first.

    Args:
        outcome: of the live run, with one photo.
        names: what people call each model, by stem.
        bands: of each model, by stem.
    """
    photo = outcome.photos[0]
    return tuple(
        Answer(
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


def headline(outcome: LabOutcome) -> str:
    """Return what happened to the first model's score in one sentence."""
    report = outcome.first.report
    before, after = f"{report.clean_score:.2f}", f"{report.rounded_score:.2f}"
    if abs(report.gain) < NO_CHANGE:
        return f"The attack had no effect: the score stayed at {before}."
    verb = "rose" if report.gain > 0 else "fell"
    return f"{appearance(report.psnr, report.ssim)}, and its score {verb} from {before} to {after}, of 1.0 possible."


def baseline_words(answer: Answer, levels: float) -> str:
    """Return what the score means, and how small the change was.

    Args:
        answer: of the attacked baseline.
        levels: largest change of a colour value, in 255ths.
    """
    beyond = (
        " No photo that it was trained on scored so high."
        if answer.attacked > answer.band.high
        else " That is " + f"{abs(answer.share):.0%} of its whole scale."
    )
    return (
        f"{answer.name} gave this photo {answer.clean:.2f} (its usual scores go from {answer.band.low:.2f} to "
        f"{answer.band.high:.2f}; higher = better photo). Then no colour value was moved by more than {levels:.0f} of "
        f"255 steps, and the same model gave {answer.attacked:.2f}.{beyond}"
    )


def hardened_words(baseline: Answer, hardened: Answer) -> str:
    """Return how the hardened model answers the same attack, aimed at itself, and the twin of the baseline."""
    if abs(baseline.moved) < NO_CHANGE:
        compared = "The attack did not move the baseline, so the two cannot be compared here."
    elif abs(hardened.share) <= _MUCH_SMALLER * abs(baseline.share):
        compared = "It moved much less than the baseline."
    elif abs(hardened.share) < abs(baseline.share):
        compared = "It moved less than the baseline, but it moved."
    else:
        compared = "On this photo it moved as far as the baseline, or farther."
    return (
        f"{hardened.name} gave the photo {hardened.clean:.2f}, and the twin made against the baseline "
        f"{hardened.transferred:.2f}. The fair test is an attack on this model itself, with the same strength: "
        f"{hardened.attacked:.2f}. As a share of each model's own scale, its score moved by {hardened.share:+.0%}, "
        f"that of the baseline by {baseline.share:+.0%}. {compared} "
        "One photo proves little: the page Compare takes many."
    )


def table(answers: tuple[Answer, ...]) -> dict[str, list[str]]:
    """Return the numbers as the columns of a table."""
    return {
        "Model": [answer.name for answer in answers],
        "Photo": [f"{answer.clean:.3f}" for answer in answers],
        "Twin made against the first model": [f"{answer.transferred:.3f}" for answer in answers],
        "Twin made against this model": [f"{answer.attacked:.3f}" for answer in answers],
        "Moved, share of its scale": [f"{answer.share:+.0%}" for answer in answers],
    }


def answers_csv(answers: tuple[Answer, ...]) -> str:
    """Return the numbers, unrounded, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [_plain(answer) for answer in answers]
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


def answers_json(answers: tuple[Answer, ...]) -> str:
    """Return the numbers, unrounded, as JSON."""
    return json.dumps([_plain(answer) for answer in answers], indent=2)


def _plain(answer: Answer) -> dict[str, object]:
    return {
        "model": answer.stem,
        "clean_score": answer.clean,
        "adversarial_score": answer.attacked,
        "transferred_score": answer.transferred,
        "range_low": answer.band.low,
        "range_high": answer.band.high,
        "command": answer.command,
    }
