"""Suggestions after a result: one button, one change each. Knows nothing of Streamlit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from robustiqa_core.attacks import PGD, Attack, Noise, make_attack
from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.evaluation.report import attack_name


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A change of the run that is shown.

    Args:
        label: of the button.
        icon: of the button.
        attack: to run instead; None to keep it.
        photo: sample to attack instead; None to keep the photo.
    """

    label: str
    icon: str
    attack: Attack | None = None
    photo: str | None = None


def suggestions(attack: Attack, photo: str, samples: Sequence[str]) -> tuple[Suggestion, ...]:
    """Return what can be tried after `attack` on the sample `photo` (or on an upload, which is not in `samples`)."""
    place = list(samples).index(photo) + 1 if photo in samples else 0
    found = [Suggestion("Next photo", ":material/skip_next:", photo=samples[place % len(samples)])]
    settings = asdict(attack)
    if isinstance(attack, Noise):
        found.append(
            Suggestion(
                "A real attack of the same strength",
                ":material/target:",
                attack=PGD(attack.eps, norm=attack.norm, seed=attack.seed),
            )
        )
    if settings.get("direction") in ("up", "down"):
        opposite = {"up": "down", "down": "up"}[settings["direction"]]
        label = "Lower the score" if opposite == "down" else "Raise the score"
        reverse = make_attack(attack_name(attack), {**settings, "direction": opposite})
        found.append(Suggestion(label, ":material/swap_vert:", attack=reverse))
    if "eps" in settings and not isinstance(attack, Noise):
        noise = Noise(settings["eps"], norm=settings.get("norm", "linf"))
        found.append(Suggestion("Only random noise", ":material/grain:", attack=noise))
    if "eps" in settings:
        weaker = make_attack(attack_name(attack), {**settings, "eps": settings["eps"] / 2})
        strength = format_fraction(settings["eps"] / 2)
        found.append(Suggestion(f"Half as strong: {strength}", ":material/opacity:", attack=weaker))
    return tuple(found)
