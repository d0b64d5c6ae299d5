"""The attack lab's part of an address, and the errors in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from robustiqa_core.attacks import Attack
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError, RobustIQAError
from robustiqa_core.images.samples import SamplePhoto
from robustiqa_core.models.card import ModelCard
from ui.attacks.batch_recipe import AGAINST, ALONE, OWN_PHOTOS
from ui.attacks.recipe import read_attack
from ui.attacks.widgets import check_shown
from ui.photos.photo_set import read_photo_set
from ui.shell.model_names import rival_of
from ui.shell.state import DEFAULT_ATTACK

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class LabAddress:
    """What an address asks the attack lab for; what it leaves out, or gets wrong, has its default.

    Args:
        attack: to begin with.
        model: stem of the first model's card.
        against: stem of the second one's; None for no second model.
        photo: name of the sample; None where none is named.
        photos: names of several samples; none where none are named.
        own: how many photos of the visitor's own it was, which no address can carry; 0 for none.
        problems: what is wrong with the address, a sentence each.
    """

    attack: Attack
    model: str
    against: str | None
    photo: str | None
    photos: tuple[str, ...]
    own: int
    problems: tuple[str, ...]


def read_lab_address(
    parameters: Mapping[str, str], cards: Mapping[str, ModelCard], samples: Mapping[str, SamplePhoto], *, most: int
) -> LabAddress:
    """Return what an address asks for. Nothing in it raises: what makes no sense is named and left out.

    Args:
        parameters: of the address.
        cards: of all models, by stem; at least one.
        samples: by name.
        most: photos that the lab takes at once.
    """
    problems: list[str] = []

    def read(what: Callable[[], Value], default: Value) -> Value:
        try:
            return what()
        except RobustIQAError as error:
            problems.append(str(error))
            return default

    model = read(lambda: _model(parameters, cards), next(iter(cards)))
    return LabAddress(
        attack=read(lambda: _attack(parameters), DEFAULT_ATTACK),
        model=model,
        against=read(lambda: read_against(parameters, model, cards), rival_of(model, cards)),
        photo=read(
            lambda: check_choice("photo", parameters["photo"], samples) if "photo" in parameters else None, None
        ),
        photos=read(lambda: _photos(parameters, samples, most), ()),
        own=read(lambda: _own(parameters, most), 1),
        problems=tuple(problems),
    )


def _model(parameters: Mapping[str, str], cards: Mapping[str, ModelCard]) -> str:
    if "model" not in parameters and "variant" not in parameters:
        return next(iter(cards))
    first = cards[next(iter(cards))].model
    stem = f"{parameters.get('model', first)}-{parameters.get('variant', 'baseline')}"
    return check_choice("model and variant", stem, cards)


def _attack(parameters: Mapping[str, str]) -> Attack:
    attack = read_attack(parameters, DEFAULT_ATTACK)
    check_shown(attack)
    return attack


def _photos(parameters: Mapping[str, str], samples: Mapping[str, SamplePhoto], most: int) -> tuple[str, ...]:
    named = {key: value for key, value in parameters.items() if key == "photos"}
    found = read_photo_set(named, samples, most=most)
    return found if isinstance(found, tuple) else ()


def _own(parameters: Mapping[str, str], most: int) -> int:
    text = parameters.get(OWN_PHOTOS, "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= most):
        raise ConfigurationError(
            f"{OWN_PHOTOS} must be a number of photos from 0 to {most}, got {text!r}; upload them again"
        )
    return int(text)


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
