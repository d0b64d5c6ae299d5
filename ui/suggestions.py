"""What to try after a result: one button, one change. Knows nothing of Streamlit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from robustiqa_core.attacks import FGSM, PGD, Attack, Direction, Noise
from robustiqa_core.evaluation import format_fraction


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
    if isinstance(attack, Noise):
        found.append(
            Suggestion(
                "A real attack, as strong",
                ":material/target:",
                attack=PGD(attack.eps, norm=attack.norm, seed=attack.seed),
            )
        )
    elif isinstance(attack, PGD | FGSM):
        opposite: Direction = "down" if attack.direction == "up" else "up"
        label = "Lower the score" if opposite == "down" else "Raise the score"
        found.append(Suggestion(label, ":material/swap_vert:", attack=replace(attack, direction=opposite)))
        found.append(Suggestion("Only random noise", ":material/grain:", attack=Noise(attack.eps, norm=attack.norm)))
    if isinstance(attack, PGD | FGSM | Noise):
        weaker = replace(attack, eps=attack.eps / 2)
        found.append(Suggestion(f"Half as strong: {format_fraction(weaker.eps)}", ":material/opacity:", attack=weaker))
    return tuple(found)
