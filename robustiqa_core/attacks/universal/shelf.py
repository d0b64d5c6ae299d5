"""Storage of perturbations, and their application to photos of any size."""

import hashlib
from dataclasses import replace
from pathlib import Path

import safetensors.numpy
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from robustiqa_core.attacks.universal.cards import PerturbationCard, check_name
from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError
from robustiqa_core.files import read_json, write_bytes, write_json
from robustiqa_core.folders import CHECKPOINTS_VARIABLE, perturbations_root

_KEY = "perturbation"


def list_perturbations(root: Path | None = None) -> tuple[PerturbationCard, ...]:
    """Return the cards of all stored perturbations, sorted by name.

    Args:
        root: their folder; without it `perturbations/` in the folder of checkpoints.
    """
    folder = root or perturbations_root()
    return tuple(PerturbationCard.from_json(read_json(path), place=path.name) for path in sorted(folder.glob("*.json")))


def load_perturbation(name: str, root: Path | None = None) -> tuple[Tensor, PerturbationCard]:
    """Return a stored perturbation (1, 3, side, side), float32 on the CPU, and its card.

    Raises:
        ConfigurationError: no perturbation has that name; the message lists the known ones.
        MissingWeightsError: the card exists, its values do not.
        InputError: the values do not match the card.
    """
    folder = root or perturbations_root()
    card_path, path = (folder / f"{check_name(name)}.{ending}" for ending in ("json", "safetensors"))
    if not card_path.is_file():
        known = ", ".join(card.name for card in list_perturbations(root)) or "none is stored"
        raise ConfigurationError(
            f"perturbation must be one of: {known}; got {name}; train one with `robustiqa train-uap`, "
            f"or set {CHECKPOINTS_VARIABLE} to the folder whose perturbations/ has it"
        )
    card = PerturbationCard.from_json(read_json(card_path), place=card_path.name)
    if not path.is_file():
        raise MissingWeightsError(f"expected a perturbation at {path}, got no file; train it with: {card.command}")
    data = path.read_bytes()
    if (digest := hashlib.sha256(data).hexdigest()) != card.sha256:
        raise InputError(
            f"expected a perturbation with sha256 {card.sha256} in {path}, got {digest}; "
            "restore the file and its card together"
        )
    return _values(data, card), card


def save_perturbation(perturbation: Tensor, card: PerturbationCard, root: Path | None = None) -> PerturbationCard:
    """Write a perturbation (1, 3, side, side) and its card; return the card with the sha256 filled in.

    Args:
        perturbation: float, in [-eps, eps].
        card: its `sha256` is ignored.
        root: folder, created if missing; by default `perturbations/` in the folder of checkpoints.
    """
    data = safetensors.torch.save({_KEY: perturbation.detach().cpu().float().contiguous()})
    written = replace(card, sha256=hashlib.sha256(data).hexdigest())
    _values(data, written)
    folder = root or perturbations_root()
    write_bytes(folder / f"{card.name}.safetensors", data)
    write_json(folder / f"{card.name}.json", written.to_json())
    return written


def perturbed(images: Tensor, perturbation: Tensor) -> Tensor:
    """Return images (N, 3, H, W) plus the perturbation (1, 3, h, w), repeated from the upper left corner; in [0, 1].

    A perturbation lives in its finest structure: enlarged to the size of the photo it has almost no effect, repeated
    it keeps its strength (measured in `docs/notebook/attacks.md`). A smaller photo gets its upper left part.

    Example:
        >>> perturbed(torch.zeros(1, 3, 1, 3), torch.tensor([0.1, 0.2]).expand(1, 3, 1, 2))[0, 0]
        tensor([[0.1000, 0.2000, 0.1000]])
    """
    height, width = images.shape[2:]
    rows, columns = -(-height // perturbation.shape[2]), -(-width // perturbation.shape[3])
    return (images + perturbation.repeat(1, 1, rows, columns)[..., :height, :width]).clamp(0.0, 1.0)


def _values(data: bytes, card: PerturbationCard) -> Tensor:
    """Return the perturbation in a safetensors file, checked against its card."""
    try:
        tensors = safetensors.numpy.load(data)
    except SafetensorError as error:
        raise InputError(f"expected safetensors in {card.name}, got something else ({error}); restore it") from error
    wanted, found = {_KEY: (1, 3, card.side, card.side)}, {name: array.shape for name, array in tensors.items()}
    if found != wanted or tensors[_KEY].dtype != "float32" or tensors[_KEY].size == 0:
        raise InputError(f"expected one float32 tensor {wanted} in {card.name}, got {found}; restore the file")
    # Written so that NaN, which compares false with everything, is refused as well.
    if not abs(tensors[_KEY]).max() <= card.eps * (1 + 1e-6):
        raise InputError(f"expected values of at most {card.eps:g} in {card.name}, got larger ones; restore the file")
    # Converted without a torch operation, so that torch's modes and default device do not matter.
    values: Tensor = torch.utils.dlpack.from_dlpack(tensors[_KEY])
    return values
