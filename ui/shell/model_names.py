"""What models are called. Knows nothing of Streamlit."""

import re
from collections.abc import Iterable, Mapping

from robustiqa_core.hardening import AdversarialTraining, HardeningRecipe, read_variants
from robustiqa_core.models.card import ModelCard

_TITLES = {"linearity": "Linearity", "dbcnn": "DBCNN", "tres": "TReS"}
"""As their papers spell them."""
_PREFERRED = ("hardened-plus", "hardened")


def model_name(card: ModelCard) -> str:
    """Return the name of a model without its variant; one of the user's own as they wrote it."""
    return _TITLES.get(card.model, card.model)


BLOCK, PRUNING, ADVERSARIAL, PART = "block", "pruning", "adversarial training", "partial adversarial training"
VERSION_WORDS = {
    "baseline": "as it was trained, without any defence",
    BLOCK: "a RobustBlock near its end keeps changes from growing",
    PRUNING: "some filters were removed",
    ADVERSARIAL: "trained on attacked photos",
    PART: "weights interpolated between adversarial training and the baseline",
}
"""What the parts of a version's name mean."""
_BUNDLED = ("hardened", "hardened-at", "hardened-plus")
"""Variants whose names do not describe them; any other name was chosen by the model's maker."""
_TRAINED_ON_ATTACKED = "hardened-at"


def version_name(card: ModelCard) -> str:
    """Return what people call a version of a model: what was done to it, or the name that its maker gave it."""
    told = card.hardening.get("recipe")
    if card.variant not in _BUNDLED or not isinstance(told, Mapping):
        return card.variant
    return " + ".join(_parts(HardeningRecipe.from_json(dict(told), place=card.stem))) or card.variant


def model_title(card: ModelCard, cards: Iterable[ModelCard] = ()) -> str:
    """Return what people call a model in one version; where another one is called the same, with its variant.

    Args:
        card: of the model.
        cards: of all models.
    """
    title = _title(card)
    alike = any(other.stem != card.stem and _title(other) == title for other in cards)
    return f"{title} ({card.variant})" if alike else title


def prose_name(card: ModelCard) -> str:
    """Return what a sentence calls a model in one version.

    Args:
        card: of the model.
    """
    name = version_name(card)
    return f"{model_name(card)} {name}" if name == card.variant else f"{model_name(card)} with {name}"


def version_help(cards: Iterable[ModelCard]) -> str:
    """Return what the versions of some models are, a word each, as markdown; empty where there are baselines only."""
    names = dict.fromkeys(part for card in cards for part in version_name(card).split(" + "))
    known = [name for name in names if name in VERSION_WORDS]
    if all(name == "baseline" for name in known):
        return ""
    return "  \n".join(f"**{name.capitalize()}**: {VERSION_WORDS[name]}." for name in known)


def _title(card: ModelCard) -> str:
    return f"{model_name(card)}, {version_name(card)}"


def _parts(recipe: HardeningRecipe) -> list[str]:
    """Return what a recipe did to a model, a word or two each."""
    adversarial = any(isinstance(term, AdversarialTraining) for term in recipe.objective.regularizers) or (
        recipe.weights is not None and any(name == _TRAINED_ON_ATTACKED for name, _ in read_variants(recipe.weights))
    )
    partial = recipe.mix < 1.0 and not recipe.epochs
    return [
        *([BLOCK] if recipe.block is not None else []),
        *([PRUNING] if recipe.pruning.ratio else []),
        *([PART if partial else ADVERSARIAL] if adversarial else []),
    ]


def start_name(card: ModelCard) -> str:
    """Return what a model's training started from, without the checksums that the card has for files."""
    return re.sub(r",? sha256 [0-9a-f]{64}", "", card.training.start)


def times(factor: float) -> str:
    """Return a factor for people: three digits or more, and never a power of ten.

    Example:
        >>> times(119.71), times(26.614), times(0.956), times(12345.6)
        ('×120', '×26.6', '×0.96', '×12,346')
    """
    digits = 0 if abs(factor) >= 99.95 else 1 if abs(factor) >= 9.995 else 2
    return f"×{factor:,.{digits}f}"


def place_name(name: str | None) -> str:
    """Return what people call an insertion point.

    Example:
        >>> place_name("after_stage5"), place_name(None)
        ('after stage 5', 'no block')
    """
    if name is None:
        return "no block"
    words = name.replace("_", " ")
    head = words.rstrip("0123456789")
    return words if head == words or head.endswith(" ") else f"{head} {words[len(head) :]}"


def rival_of(stem: str, cards: Mapping[str, ModelCard]) -> str | None:
    """Return the model that a visitor most likely wants beside this one: hardened beside baseline, and the reverse.

    Args:
        stem: of the model.
        cards: of all models, by stem.
    """
    card = cards[stem]
    others = [other for other in cards.values() if other.model == card.model and other.stem != stem]
    if card.variant != "baseline":
        return next((other.stem for other in others if other.variant == "baseline"), None)
    hardened = sorted(
        (other for other in others if other.hardening or other.variant in _PREFERRED),
        key=lambda other: _PREFERRED.index(other.variant) if other.variant in _PREFERRED else len(_PREFERRED),
    )
    return hardened[0].stem if hardened else None
