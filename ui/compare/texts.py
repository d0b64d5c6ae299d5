"""What a comparison says, in plain words: its figures, its attacks, its conventions. Knows nothing of Streamlit."""

from collections.abc import Sequence
from dataclasses import dataclass

from robustiqa_core.attacks import parse_attack
from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.evaluation.tables.attack_grid import attack_grid
from robustiqa_core.evaluation.tables.rows import TableRow
from robustiqa_core.evaluation.tables.summary import RunSummary, Summary, is_noise, is_worst_case, worst_of
from robustiqa_core.metrics.scale import Convention
from ui.attacks.texts import attack_text, attack_words
from ui.shell.glossary import WORDS


@dataclass(frozen=True, slots=True)
class FigureText:
    """A figure of robustness in words.

    Args:
        label: short.
        direction: which way is more robust.
        help: what it is.
        scaled: whether it depends on the scale convention.
    """

    label: str
    direction: str
    help: str
    scaled: bool = True


FIGURES: dict[str, FigureText] = {
    "absolute_gain": FigureText("Gain", "nearer 0 = more robust", WORDS["Gain (AbsGain)"]),
    "r_score": FigureText("R-score", "higher = more robust", WORDS["R-score"]),
    "attacked_clean.srocc": FigureText(
        "Rank correlation", "higher = more robust", WORDS["Rank correlation, clean and attacked"], scaled=False
    ),
    "flip_rate": FigureText("Flipped pairs", "lower = more robust", WORDS["Flipped pairs"], scaled=False),
    "unmoved_share": FigureText("Unmoved photos", "higher = the attack did less", WORDS["Unmoved photos"]),
}
"""Figures that can be drawn against the strength, by the name that they have in the core."""

CONVENTION_NAMES: dict[Convention, str] = {
    "own": "Own",
    "photos": "These photos'",
    "baseline": "Baseline's",
    "fixed": "Fixed",
}


def value_of(run: RunSummary, name: str) -> float | None:
    """Return a figure of a run; None where it is not defined."""
    value: object = run.figures
    for part in name.split("."):
        value = None if value is None else getattr(value, part)
    return value if isinstance(value, float) else None


def axis_title(name: str, convention: Convention) -> str:
    """Return the title of the axis of a figure, with its scale and its direction.

    Example:
        >>> axis_title("absolute_gain", "own")
        'Gain, own scale (nearer 0 = more robust)'
    """
    text = FIGURES[name]
    scale = f", {CONVENTION_NAMES[convention].lower()} scale" if text.scaled else ""
    return f"{text.label}{scale} ({text.direction})"


def attack_label(attack: str) -> str:
    """Return what people call an attack of a table.

    Example:
        >>> attack_label("pgd:steps=5"), attack_label("worst of 2")
        ('PGD', 'Worst attack for each photo')
    """
    if is_worst_case(attack):
        return "Worst attack for each photo"
    name = attack.partition(" from ")[0].partition(":")[0]
    found = attack_text(name).name
    return found if found != name else found.capitalize()


def attack_and_strength(attack: str, strength: float | None) -> str:
    """Return an attack of a table with its strength.

    Example:
        >>> attack_and_strength("pgd:steps=5", 8 / 255)
        'PGD 8/255'
    """
    return attack_label(attack) if strength is None else f"{attack_label(attack)} {format_fraction(strength)}"


def row_label(row: TableRow, model: str, photo: str) -> str:
    """Return a row in words, for a list to choose from."""
    report = row.report
    attack = attack_and_strength(report.attack, row.strength)
    return f"{photo}: {report.clean_score:.3f} → {report.rounded_score:.3f} ({attack}, {model})"


def movements(summary: Summary, models: Sequence[tuple[str, str]]) -> list[str]:
    """Return what the attack that moves each model most does to it, beside noise of the same strength.

    Args:
        summary: under any convention.
        models: stem and name of each model.
    """
    sentences = []
    for stem, name in models:
        worst = worst_of(summary, stem)
        if worst is None:
            continue
        noise = [
            run for run in summary.runs if run.model == stem and is_noise(run.attack) and run.strength == worst.strength
        ]
        control = (
            f"; noise of this strength by {_percent(noise[0].figures.absolute_gain)}"
            if noise and noise[0] is not worst
            else ""
        )
        sentences.append(
            f"{attack_in_full(worst)} moves the scores of {name} by {_percent(worst.figures.absolute_gain)} of the "
            f"scale{control}."
        )
    return sentences


def attack_in_full(run: RunSummary) -> str:
    """Return the attack of a run with its strength and its effort, such as `PGD 4/255, 10 steps`."""
    strengths = [] if run.strength is None else [run.strength]
    attack = attack_grid([run.attack], strengths)[0] if strengths else parse_attack(run.attack)
    return attack_words(attack)


def _percent(share: float) -> str:
    """Return a share in percent.

    Example:
        >>> _percent(0.574), _percent(-0.001)
        ('+57 %', '+0 %')
    """
    return f"{100 * share:+z.0f} %"


def remark(run: RunSummary) -> str:
    """Return the remark beside the figures of a run; empty for most."""
    return {"moved": "", "partly": "moved some photos only", "nothing": "moved no photo"}[run.figures.effect]
