"""What models are called. Knows nothing of Streamlit."""

import re

from robustiqa_core.models.card import ModelCard

_TITLES = {"linearity": "Linearity", "dbcnn": "DBCNN", "tres": "TReS"}
"""As their papers spell them."""


def model_name(card: ModelCard) -> str:
    """Return the name of a model without its variant; one of the user's own as they wrote it."""
    return _TITLES.get(card.model, card.model)


def start_name(card: ModelCard) -> str:
    """Return what a model's training started from, without the checksums that the card has for files."""
    return re.sub(r",? sha256 [0-9a-f]{64}", "", card.training.start)


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
