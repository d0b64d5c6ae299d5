"""What decides the numbers of a batch of attacks: photos, one or two models, an attack. Knows nothing of Streamlit."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from robustiqa_core.attacks import Attack, spell_attack
from robustiqa_core.errors import ConfigurationError
from ui.attacks.recipe import PhotoChoice, Recipe, attack_address, digest_of

OWN_PHOTOS = "own"
"""Query parameter that says how many photos of the visitor's own were attacked: an address cannot carry them."""
AGAINST = "against"
"""Query parameter that names the second model."""
ALONE = "none"
"""Its value where there is no second model."""


@dataclass(frozen=True, slots=True)
class BatchRecipe:
    """Everything that decides the numbers of a batch of attacks.

    Args:
        photos: one or more, each attacked alone.
        models: (architecture, variant) of one model, or of two that are compared.
        attack: the same for all of them.

    Raises:
        ConfigurationError: no photo, or not one or two models.
    """

    photos: tuple[PhotoChoice, ...]
    models: tuple[tuple[str, str], ...]
    attack: Attack

    def __post_init__(self) -> None:
        if not self.photos or len(set(self.models)) not in (1, 2) or len(set(self.models)) != len(self.models):
            raise ConfigurationError(
                f"expected a photo or more and one model or two different ones, got {len(self.photos)} photos and "
                f"{self.models}; change them"
            )

    @property
    def stems(self) -> tuple[str, ...]:
        """The models by the stem of their card."""
        return tuple(f"{model}-{variant}" for model, variant in self.models)

    def runs(self) -> tuple[Recipe, ...]:
        """Return the single attacks, photo by photo, and for each photo model by model."""
        return tuple(
            Recipe(model, variant, photo, self.attack) for photo in self.photos for model, variant in self.models
        )

    def only(self, photo: PhotoChoice) -> "BatchRecipe":
        """Return the same with a single photo."""
        return dataclasses.replace(self, photos=(photo,))

    @property
    def public(self) -> bool:
        """Whether everybody on this server may see the photos."""
        return all(photo.source == "sample" for photo in self.photos)

    def key(self, weights: Sequence[str]) -> str:
        """Return a digest of everything here, under which the result is kept.

        Args:
            weights: digest of the weights of each model; another model may get the name of one that was dropped.
        """
        photos = [dataclasses.asdict(photo) for photo in self.photos]
        return digest_of("lab", photos, self.models, spell_attack(self.attack), weights)

    def address(self) -> dict[str, str]:
        """Return the query parameters that open this view; uploads are counted only, no address carries them."""
        names = ",".join(photo.name for photo in self.photos if photo.source == "sample")
        photos = (
            {"photo" if len(self.photos) == 1 else "photos": names} if names else {OWN_PHOTOS: str(len(self.photos))}
        )
        model, variant = self.models[0]
        against = self.stems[1] if len(self.models) == 2 else ALONE
        return {**photos, "model": model, "variant": variant, AGAINST: against, **attack_address(self.attack)}
