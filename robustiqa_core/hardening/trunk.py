"""Weights of another model to start from: all of them, or those of its trunk, which serves several architectures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.storage import list_cards, load_card, load_network


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """Weights of a trunk, and the card of the model that they are from.

    Args:
        card: of that model.
        backbone: name of the trunk, a key of `BACKBONES`.
        weights: state of its `features`.

    Raises:
        ConfigurationError: the trunk has a block in it or lost filters, so that no other network can take it.
    """

    card: ModelCard
    backbone: str
    weights: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        if self.card.blocks or any(name.startswith("features.") for name in self.card.pruning):
            raise ConfigurationError(
                f"expected a trunk without blocks and with all its filters, got that of {self.card.stem}; "
                "name a model that was trained without either"
            )

    def put_into(self, network: QualityModel) -> None:
        """Set the weights of a network's trunk, in place.

        Raises:
            ConfigurationError: the network has another trunk.
        """
        if network.settings.backbone != self.backbone:
            raise ConfigurationError(
                f"expected a model with the trunk {network.settings.backbone}, got {self.card.stem} with the trunk "
                f"{self.backbone}; name another model"
            )
        network.features.load_state_dict(self.weights, strict=True)

    @property
    def words(self) -> str:
        """Where it is from, for a card."""
        return f"trunk of {self.card.stem}, sha256 {self.card.sha256}"


def load_trunk(stem: str, *, root: Path | None = None) -> Trunk:
    """Return the trunk of a stored model, on the CPU.

    Args:
        stem: of its checkpoint, such as `linearity-hardened-plus`.
        root: folder of the checkpoints; the usual one where None.

    Raises:
        ConfigurationError: there is no such model, or its trunk fits no other network.
        InputError: its file is damaged.
    """
    cards = {card.stem: card for card in list_cards(root)}
    if stem not in cards:
        raise ConfigurationError(
            f"expected the trunk of a stored model ({', '.join(sorted(cards))}), got {stem!r}; name one of these"
        )
    card = cards[stem]
    network = load_network(card.model, card.variant, root=root, device=torch.device("cpu"))
    return Trunk(card, network.settings.backbone, network.features.state_dict())


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """All weights of a model, and its card.

    Args:
        card: of the model.
        state: its state.

    Raises:
        ConfigurationError: the model has a block or lost filters, so that no other network can take its weights.
    """

    card: ModelCard
    state: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        if self.card.blocks or self.card.pruning:
            raise ConfigurationError(
                f"expected a model without blocks and with all its filters, got {self.card.stem}; "
                "name one that was trained without either"
            )

    def put_into(self, network: QualityModel) -> None:
        """Set the weights of a network, in place.

        Raises:
            ConfigurationError: the network is another one.
        """
        try:
            network.load_state_dict(self.state, strict=True)
        except RuntimeError as error:
            raise ConfigurationError(
                f"expected the weights of a model with the same layers, got those of {self.card.stem}, which has "
                "others; name another variant"
            ) from error

    @property
    def words(self) -> str:
        """Where they are from, for a card."""
        return f"weights of {self.card.stem}, sha256 {self.card.sha256}"


def load_weights(model: str, variant: str, *, root: Path | None = None) -> Weights:
    """Return the weights of a stored model, on the CPU.

    Args:
        model: architecture.
        variant: of the model.
        root: folder of the checkpoints; the usual one where None.

    Raises:
        ConfigurationError: there is no such model, or its weights fit no other network.
        InputError: its file is damaged.
    """
    card = load_card(model, variant, root=root)
    return Weights(card, load_network(model, variant, root=root, device=torch.device("cpu")).state_dict())
