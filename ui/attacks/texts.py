"""The name and description of each attack, in plain words. Knows nothing of Streamlit."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from robustiqa_core.attacks import Attack
from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.evaluation.report import attack_name


@dataclass(frozen=True, slots=True)
class AttackText:
    """An attack in words.

    Args:
        name: short.
        help: one or two sentences for a newcomer.
    """

    name: str
    help: str


TEXTS: dict[str, AttackText] = {
    "pgd": AttackText("PGD", "Follows the model's gradient in many small steps. The usual strong attack."),
    "apgd": AttackText("APGD", "PGD with momentum that halves its steps when they stop helping. The strongest here."),
    "mi_fgsm": AttackText("MI-FGSM", "PGD with momentum; its changes carry over better to other models."),
    "fgsm": AttackText("FGSM", "One big step along the model's gradient. Quick and crude."),
    "noise": AttackText(
        "Noise", "Random changes of the same size, blind to the model: the control that an attack has to beat."
    ),
    "uap": AttackText("Universal", "One precomputed change for every photo. Needs no access to the model."),
    "stadv": AttackText("stAdv", "Moves the pixels instead of changing their colours, by less than a pixel or so."),
    "perceptual": AttackText("Perceptual", "As strong as a limit on SSIM, a measure of visible change, permits."),
    "texture": AttackText("Texture-aware", "Hides the changes in busy parts of the photo, where they are hard to see."),
    "colour": AttackText("Colour", "Changes the colours of the whole photo smoothly; no pixel noise at all."),
    "low_frequency": AttackText("Low frequency", "A smooth pattern of broad waves, without fine detail."),
    "worst": AttackText(
        "Worst of all",
        "For each photo the strongest of five attacks, which share its gradients. Slow, and hard to beat.",
    ),
    "square": AttackText("Square", "Queries scores only and tries random squares. Needs no gradient."),
    "nes": AttackText("NES", "Queries scores only and estimates the gradient from them."),
}
"""By name of the attack, in the order of the list that people choose from."""


def attack_text(name: str) -> AttackText:
    """Return the words for an attack; its name alone where there are none."""
    return TEXTS.get(name, AttackText(name, ""))


_STRENGTHS: dict[str, Callable[[float], str]] = {
    "eps": format_fraction,
    "max_flow": "{:g} px".format,
    "min_ssim": "SSIM {:g}".format,
}
"""How to write the strength of an attack, by the name of its setting."""
_EFFORTS = {"steps": ("steps", "step"), "queries": ("queries", "query")}
"""What an attack may spend, by the name of its setting: several, and one."""


def attack_words(attack: Attack) -> str:
    """Return an attack with its strength and effort, as in a headline.

    Example:
        >>> from robustiqa_core.attacks import PGD, Noise, Square
        >>> attack_words(PGD(4 / 255)), attack_words(Square(4 / 255)), attack_words(Noise(8 / 255, norm="l2"))
        ('PGD 4/255, 10 steps', 'Square 4/255, 1000 queries', 'Noise 8/255 (l2)')
    """
    strength = next((say(getattr(attack, name)) for name, say in _STRENGTHS.items() if hasattr(attack, name)), "")
    norm = " (l2)" if getattr(attack, "norm", "linf") == "l2" else ""
    words = f"{attack_text(attack_name(attack)).name} {strength}".strip() + norm
    # FGSM and noise have one step by definition, so it is not mentioned.
    efforts = [(field.name, getattr(attack, field.name)) for field in fields(attack) if field.name in _EFFORTS]
    return ", ".join([words, *(f"{count} {_EFFORTS[name][count == 1]}" for name, count in efforts)])
