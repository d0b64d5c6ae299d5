"""Models that were kept under a name on a page, for everybody on this server. Knows nothing of Streamlit."""

import threading

from robustiqa_core.checks import check_count
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard


class NamedModels:
    """The models that visitors kept under a name; all methods may be called from any thread.

    Args:
        models: most models that are kept.
    """

    def __init__(self, *, models: int = 12) -> None:
        self._most = check_count("models", models)
        self._lock = threading.Lock()
        self._models: dict[str, tuple[ModelCard, QualityModel]] = {}
        self._owners: dict[str, str] = {}

    def add(self, card: ModelCard, scorer: QualityModel, *, owner: str = "") -> None:
        """Keep a model under the stem of its card.

        Args:
            card: of the model.
            scorer: the model, frozen.
            owner: the visit that keeps it, which alone may drop it.

        Raises:
            ConfigurationError: there are too many models already.
        """
        with self._lock:
            if len(self._models) >= self._most:
                raise ConfigurationError(
                    f"{self._most} models are kept on this server, which is the limit; download this one instead"
                )
            self._models[card.stem] = (card, scorer)
            self._owners[card.stem] = owner

    def drop(self, stem: str, *, owner: str = "") -> None:
        """Forget a model that was kept; nothing happens if there is none.

        Raises:
            ConfigurationError: somebody else keeps it.
        """
        with self._lock:
            if self._owners.get(stem, owner) != owner:
                raise ConfigurationError(f"{stem} was kept by another visitor; only they can delete it")
            self._models.pop(stem, None)
            self._owners.pop(stem, None)

    def owned(self, owner: str) -> dict[str, ModelCard]:
        """Return the cards of the models that a visit keeps, by stem."""
        with self._lock:
            return {stem: card for stem, (card, _) in self._models.items() if self._owners[stem] == owner}

    def cards(self) -> dict[str, ModelCard]:
        """Return the cards of the models that were kept, by stem."""
        with self._lock:
            return {stem: card for stem, (card, _) in self._models.items()}

    def scorer(self, stem: str) -> QualityModel | None:
        """Return a model that was kept, frozen; None if there is none of that stem."""
        with self._lock:
            found = self._models.get(stem)
            return None if found is None else found[1]
