"""What models are called. Knows nothing of Streamlit."""

from robustiqa_core.models.card import ModelCard

_TITLES = {"linearity": "Linearity", "dbcnn": "DBCNN", "tres": "TReS"}
"""As their papers spell them."""


def model_name(card: ModelCard) -> str:
    """Return the name of a model without its variant; one of the user's own as they wrote it."""
    return _TITLES.get(card.model, card.model)
