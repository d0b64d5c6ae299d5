"""Checkpoints: safetensors weights, each with a JSON model card, loaded strictly."""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from robustiqa_core.blocks import BlockSettings, blocks_of, fold_blocks, insert
from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError, RobustIQAError
from robustiqa_core.files import check_output, check_output_folder, read_json, write_bytes, write_json
from robustiqa_core.folders import CHECKPOINTS_VARIABLE, checkpoints_root
from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.models.card import ModelCard, UnusableModel
from robustiqa_core.models.efficientnet_lite import ConvNorm
from robustiqa_core.names import did_you_mean
from robustiqa_core.pruning import is_masked, narrow, remaining

BASELINE = "baseline"
_RESERVED = (BASELINE, "own")
"""Variants that no new one may be called: what was trained here, and models of the user's own."""
_VARIANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def check_variant(variant: str) -> str:
    """Return the name of a new variant if it is one, which is no path, no option and no name that has a meaning.

    Raises:
        ConfigurationError: it is none.

    Example:
        >>> check_variant("hardened-2")
        'hardened-2'
    """
    if not _VARIANT.fullmatch(variant) or variant in _RESERVED:
        raise ConfigurationError(
            "a variant has a name of at most 40 small letters, digits, - and _ that begins with a letter or digit and "
            f"is neither {' nor '.join(_RESERVED)}, got {variant!r}; choose another one"
        )
    return variant


def check_new_variant(model: str, variant: str, *, taken: Collection[str]) -> str:
    """Return the name of a new variant if it is one and there is none of that name; see `check_variant`.

    Args:
        model: architecture.
        variant: the name.
        taken: stems of the models that there are, such as `linearity-baseline`.
    """
    if f"{model}-{check_variant(variant)}" in taken:
        raise ConfigurationError(f"{model} {variant} already exists; choose another name")
    return variant


def check_new_checkpoint(model: str, variant: str, *, root: Path, overwrite: bool = False) -> None:
    """Raise unless a checkpoint can be written under a name, which is asked before the work.

    Args:
        model: architecture.
        variant: the name; `baseline` for what is trained here and for nothing else.
        root: folder of the checkpoint, which need not be there.
        overwrite: whether one that is there may be replaced.

    Raises:
        ConfigurationError: the name is none or is taken, or nothing can be written to the folder.
    """
    if variant != BASELINE:
        check_variant(variant)
    check_output_folder(root)
    stem = f"{model}-{variant}"
    paths = [root / f"{stem}{ending}" for ending in (".safetensors", ".json")]
    if not overwrite and any(path.exists() for path in paths):
        raise ConfigurationError(
            f"{model} {variant} already exists in {root}; choose another name or another --out, or add "
            "--overwrite to replace it"
        )
    for path in paths:
        check_output(path, overwrite=overwrite)


def list_cards(root: Path | None = None) -> tuple[ModelCard, ...]:
    """Return the cards of all checkpoints in `root`: the models as `ARCHITECTURES` lists them, baselines first."""
    return _in_order(_read_card(path) for path in _card_paths(root))


def usable_cards(root: Path | None = None) -> tuple[tuple[ModelCard, ...], tuple[UnusableModel, ...]]:
    """Return the cards in `root` as `list_cards` does, without those that cannot be read, and these."""
    cards: list[ModelCard] = []
    refused: list[UnusableModel] = []
    for path in _card_paths(root):
        try:
            cards.append(_read_card(path))
        except RobustIQAError as error:
            refused.append(UnusableModel(path.name, str(error)))
    return _in_order(cards), tuple(refused)


def _card_paths(root: Path | None) -> list[Path]:
    return sorted((root or checkpoints_root()).glob("*.json"))


def _read_card(path: Path) -> ModelCard:
    return ModelCard.from_json(read_json(path), place=path.name)


def _in_order(cards: Iterable[ModelCard]) -> tuple[ModelCard, ...]:
    places = list(ARCHITECTURES)
    return tuple(
        sorted(
            cards,
            # Cards of removed architectures are listed; loading them raises.
            key=lambda card: (
                places.index(card.model) if card.model in places else len(places),
                card.model,
                card.variant != BASELINE,
                card.variant,
            ),
        )
    )


def load_card(model: str, variant: str = "baseline", *, root: Path | None = None) -> ModelCard:
    """Return the card of a checkpoint.

    Raises:
        ConfigurationError: there are checkpoints, but none of that name; the message lists them.
        MissingWeightsError: there are no checkpoints at all.
    """
    folder = root or checkpoints_root()
    path = folder / f"{model}-{variant}.json"
    known = list_cards(root)
    card = next((card for card in known if (card.model, card.variant) == (model, variant)), None)
    if card is not None:
        return card
    if known:
        names = ", ".join(f"{card.model} {card.variant}" for card in known)
        raise ConfigurationError(
            f"model and variant must be one of: {names}; got {model} {variant}; "
            + did_you_mean(f"{model} {variant}", [f"{card.model} {card.variant}" for card in known])
        )
    raise MissingWeightsError(
        f"expected a model card at {path}, got none; clone the repository with its checkpoints/, "
        f"or set {CHECKPOINTS_VARIABLE} to the folder that has them"
    )


def load_network(
    model: str = "linearity", variant: str = "baseline", *, device: torch.device, root: Path | None = None
) -> QualityModel:
    """Return a trained network of its own, in eval mode and float32, to go on training or to operate on.

    Args:
        model: architecture, such as `linearity`.
        variant: `baseline` or a hardened version.
        device: where to put its weights.
        root: folder of the checkpoints.

    Raises:
        ConfigurationError: no checkpoint of that name.
        MissingWeightsError: the card is there, the weights are not.
        InputError: the weights are not those that the card describes.
    """
    return network_of(load_card(model, variant, root=root), root or checkpoints_root(), device=device)


def network_of(card: ModelCard, root: Path, *, device: torch.device) -> QualityModel:
    """Return the network that a card describes, whose weights lie in the folder `root`; see `load_network`."""
    path = root / f"{card.stem}.safetensors"
    if not path.is_file():
        raise MissingWeightsError(f"expected weights at {path}, got no file; clone the repository again, or train them")
    data = path.read_bytes()
    if (digest := hashlib.sha256(data).hexdigest()) != card.sha256:
        raise InputError(
            f"expected weights with sha256 {card.sha256} in {path}, got {digest}; "
            "restore the file and its card together"
        )
    with torch.device("meta"):
        network = build(card.model, card.settings, card.score_range)
        for point, settings in card.blocks.items():
            network = insert(network, point, BlockSettings.from_json(settings, place=f"the card of {card.stem}"))
    if card.pruning:
        network = narrow(network, card.pruning)
    try:
        state = safetensors.torch.load(data)
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"expected safetensors in {path}, got something else ({error}); restore the file") from error
    _fill(network, state, path.name)
    return network.to(device).eval()


def load_scorer(
    model: str = "linearity", variant: str = "baseline", *, device: torch.device, root: Path | None = None
) -> QualityModel:
    """Return a trained network that only scores and is attacked: as `load_network`, but frozen and made fast.

    It may be shared by threads as long as nobody changes it. Normalisations are multiplied into the convolutions
    before them, blocks build their kernel once, and the weights lie channels last (`benchmarks/scorer_tuning.py` has
    what that saves). Scores move by rounding only. Arguments and errors are those of `load_network`.
    """
    return as_scorer(load_network(model, variant, device=device, root=root))


def as_scorer(network: QualityModel) -> QualityModel:
    """Return a network in eval mode, frozen and made fast; the network itself is changed. See `load_scorer`."""
    network.requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fold()
    fold_blocks(network)
    frozen: QualityModel = network.to(memory_format=torch.channels_last).requires_grad_(False)
    return frozen


def save_card(card: ModelCard, *, root: Path) -> None:
    """Write a card next to its weights, which are not touched."""
    write_json(root / f"{card.stem}.json", card.to_json())


def is_folded(network: nn.Module) -> bool:
    """Return whether a network was made fast by `as_scorer`: to be attacked, no longer to be trained or pruned."""
    return any(isinstance(module, ConvNorm) and isinstance(module.norm, nn.Identity) for module in network.modules())


def _fill(network: QualityModel, state: dict[str, Tensor], place: str) -> None:
    """Give a network made on the meta device its weights, strictly."""
    expected = network.state_dict()
    wrong = sorted(expected.keys() ^ state.keys()) or [
        name for name, value in expected.items() if value.shape != state[name].shape
    ]
    if wrong:
        raise InputError(
            f"expected the {len(expected)} tensors of the architecture in {place}; "
            f"{len(wrong)} are missing, unexpected or misshapen, such as {wrong[0]}; restore the file and its card"
        )
    network.load_state_dict(
        {name: value.to(expected[name].dtype) for name, value in state.items()}, strict=True, assign=True
    )


def save_checkpoint(
    network: QualityModel,
    card: ModelCard,
    *,
    root: Path,
    dtype: torch.dtype = torch.float16,
    overwrite: bool = False,
) -> ModelCard:
    """Write a network's weights and its card; return the card with the sha256, the blocks and the pruning filled in.

    Args:
        network: what is saved; unchanged.
        card: its `sha256`, `blocks` and `pruning` are ignored.
        root: folder of the checkpoints, made where it is missing.
        dtype: in which the floating-point weights are stored. Half precision halves the file; the figures of the
            card must then be measured on the loaded checkpoint.
        overwrite: whether a checkpoint of that name may be replaced.

    Returns:
        The card as written.

    Raises:
        ConfigurationError: the network has pruning masks, or the name of the variant is none or is taken.
        InputError: it has weights that `dtype` cannot hold.
    """
    check_new_checkpoint(card.model, card.variant, root=root, overwrite=overwrite)
    if is_masked(network):
        raise ConfigurationError("expected a network without pruning masks, got one with masks; bake it, then save it")
    tensors: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        stored = value.detach().cpu().contiguous()
        if stored.is_floating_point() and stored.numel() > 1:
            stored = stored.to(dtype)
            if not stored.isfinite().all():
                raise InputError(f"{name} has values that {dtype} cannot hold; save with dtype=torch.float32")
        tensors[name] = stored
    data = safetensors.torch.save(tensors)
    blocks = {point: asdict(settings) for point, settings in blocks_of(network).items()}
    with torch.device("meta"):
        whole = build(card.model, card.settings, card.score_range)
    written = replace(card, sha256=hashlib.sha256(data).hexdigest(), blocks=blocks, pruning=remaining(network, whole))
    write_bytes(root / f"{card.stem}.safetensors", data)
    save_card(written, root=root)
    return written
