"""What decides the numbers of the attack lab: photos, one or two models, an attack. Knows nothing of Streamlit."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robustiqa_core.attacks import Attack, spell_attack
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models.card import ModelCard
from ui.attacks.recipe import PhotoChoice, Recipe, attack_address, digest_of

OWN_PHOTOS = "own"
"""Query parameter that says how many photos of the visitor's own were attacked: an address cannot carry them."""
AGAINST = "against"
"""Query parameter that names the second model."""
ALONE = "none"
"""Its value where there is no second model."""
_PREFERRED = ("hardened-plus", "hardened")


@dataclass(frozen=True, slots=True)
class LabRecipe:
    """Everything that decides the numbers of a run of the attack lab.

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

    def only(self, photo: PhotoChoice) -> "LabRecipe":
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


def read_against(parameters: Mapping[str, str], stem: str, cards: Mapping[str, ModelCard]) -> str | None:
    """Return the second model that an address names; the usual one where it names none.

    Raises:
        ConfigurationError: there is no such model, or it is the first one.
    """
    named = parameters.get(AGAINST)
    if named is None:
        return rival_of(stem, cards)
    if named == ALONE:
        return None
    others = [other for other in cards if other != stem]
    if named not in others:
        raise ConfigurationError(
            f"{AGAINST} must be {ALONE} or one of {', '.join(others) or 'no other model'}, got {named!r}; "
            "choose one of these"
        )
    return named
