"""The published checkpoints of the three papers, as our networks; listed in `IMPORTERS`.

They are read in any precision, and as other programs wrap them: pyiqa, Lightning, `torch.compile`, `nn.DataParallel`.
Names of the published layouts appear here and nowhere else.
"""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from robustiqa_core.errors import InputError
from robustiqa_core.models.dbcnn import DBCNN, DBCNNSettings
from robustiqa_core.models.linearity import Linearity, LinearitySettings
from robustiqa_core.models.published import (
    best_fit,
    check_mapping,
    enumerate_names,
    fill,
    plain_tensors,
    unwrapped,
    without_prefixes,
)
from robustiqa_core.models.scnn import SCNN
from robustiqa_core.models.tres import HANNING, TReS, TReSSettings
from robustiqa_core.scorer import ScoreRange


class Importer(Protocol):
    """What is listed in `IMPORTERS`."""

    def __call__(
        self,
        checkpoint: Mapping[str, Any],
        *,
        short_side: int,
        k: float = 1.0,
        b: float = 0.0,
        score_range: ScoreRange | None = None,
    ) -> Linearity | DBCNN | TReS:
        """Return the network with the weights of a checkpoint, in eval mode and frozen.

        Args:
            checkpoint: from `read_checkpoint`.
            short_side: see the architecture's settings.
            k: factor on the published score; -1 for a network trained on DMOS, where smaller is better.
            b: offset added after that.
            score_range: range of the clean scores, (0, 1) until measured.

        Raises:
            InputError: the checkpoint is not of the published layout; the message lists what differs.
        """
        ...


def _linearity_name(name: str) -> str:
    """Return the published name of one of Linearity's tensors: the trunk's stages are numbered."""
    numbers = {
        "features.stem.conv1.": "features.0.",
        "features.stem.bn1.": "features.1.",
        **{f"features.layer{stage}.": f"features.{stage + 3}." for stage in range(1, 5)},
    }
    ours = next((prefix for prefix in numbers if name.startswith(prefix)), "")
    return numbers.get(ours, "") + name.removeprefix(ours)


_MOST_PAIRS = 3


def _published_mapping(checkpoint: Mapping[str, Any]) -> tuple[float, float]:
    """Return k and b of the whole model: numbers, or the first of those of the whole, tap 6 and tap 7.

    (The authors' training code fits them in this order; their demo applies the last pair, that of tap 7.)
    """
    found: list[float] = []
    for name in ("k", "b"):
        value = checkpoint[name]
        # A damaged one may claim any size.
        first = value.flatten().tolist() if isinstance(value, Tensor) and value.numel() <= _MOST_PAIRS else value
        if isinstance(first, (list, tuple)) and first:
            first = first[0]
        number = float(first) if isinstance(first, (int, float)) else math.nan
        if not math.isfinite(number) or (name == "k" and number == 0.0):
            raise InputError(
                f"expected a finite number at {name!r} of the checkpoint, other than 0 for 'k', or a list of these, "
                f"got {value!r:.40}; import a checkpoint that the authors' code has written"
            )
        found.append(number)
    return found[0], found[1]


def import_linearity(
    checkpoint: Mapping[str, Any],
    *,
    short_side: int = 498,
    k: float = 1.0,
    b: float = 0.0,
    score_range: ScoreRange | None = None,
) -> Linearity:
    """Return Linearity with the weights of a LinearityIQA checkpoint; see `Importer`.

    The checkpoint has `model`, `k` and `b`, and while training also `optimizer` and `amp`, both ignored. The trunk,
    one of the ResNets, is inferred from the shapes. Known limit: networks trained with maximum, minimum or deviation
    pooling have the same shapes as those with average pooling, which is what we compute; the VGG16 and AlexNet
    variants tap other places and are refused.

    Args:
        checkpoint: from `read_checkpoint`.
        short_side: of photos; the authors scale theirs to 498 x 664.
        k: factor on the mapped score.
        b: offset added after that.
        score_range: range of the clean scores.
    """
    checkpoint = _linearity_layout(checkpoint)
    known = {"model", "k", "b"}
    if not known <= checkpoint.keys() or checkpoint.keys() - known - {"optimizer", "amp"}:
        raise InputError(
            "expected a LinearityIQA checkpoint with model, k and b, "
            f"got one with {enumerate_names(map(str, checkpoint)) or 'nothing'}; "
            "import one that the authors' code has written"
        )
    slope, offset = _published_mapping(checkpoint)
    factor, shift = check_mapping(k, b)
    model = checkpoint["model"]
    state = plain_tensors(unwrapped(model) if isinstance(model, Mapping) else model, "the checkpoint's 'model'")
    trunks = ("resnet18", "resnet34", "resnet50", "resnet101", "resnext101_32x8d")
    candidates = (Linearity(LinearitySettings(name, short_side), score_range=score_range) for name in trunks)
    with torch.device("meta"):
        network = best_fit(candidates, state, _linearity_name)
    return fill(network, state, _linearity_name, (factor * slope, factor * offset + shift))


def _linearity_layout(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a checkpoint with `model`, `k` and `b` where another program has wrapped it.

    A state dict alone has no mapping, which changes the scale of the scores and no order: k is 1 then, and b is 0.
    """
    outer = without_prefixes(checkpoint)
    if {"k", "b"} <= outer.keys() and "model" not in outer:
        return {"model": unwrapped(outer), "k": outer["k"], "b": outer["b"]}
    inner = unwrapped(checkpoint, kept=("model",))
    if inner and all(isinstance(value, Tensor) for value in inner.values()):
        return {"model": inner, "k": 1.0, "b": 0.0}
    return inner


# Index of the first layer of our stages of VGG16 among torchvision's `features`.
_VGG16_STARTS = (0, 4, 9, 16, 23)


def _scnn_name(name: str, prefix: str) -> str:
    """Return the published name of a tensor of S-CNN's features, such as `scnn3.norm.weight`."""
    stage, layer, leaf = name.split(".")
    index = 3 * (int(stage.removeprefix("scnn")) - 1) + (layer == "norm")
    return f"{prefix}.{index}.{leaf}"


def _dbcnn_name(name: str) -> str:
    head, _, rest = name.partition(".")
    if head == "scnn":
        return _scnn_name(rest, "features2")
    if head == "features":
        stage, index, leaf = rest.split(".")
        return f"features1.{_VGG16_STARTS[int(stage.removeprefix('stage')) - 1] + int(index)}.{leaf}"
    return name


def import_dbcnn(
    checkpoint: Mapping[str, Any],
    *,
    short_side: int = 768,
    k: float = 1.0,
    b: float = 0.0,
    score_range: ScoreRange | None = None,
) -> DBCNN:
    """Return DBCNN with the weights of a DBCNN-PyTorch checkpoint (VGG16, published square root); see `Importer`.

    Args:
        checkpoint: from `read_checkpoint`: a state dict, with or without `module.` before each name.
        short_side: of photos; the authors' network takes photos as they are, and none of their data sets has a
            shorter side above 768.
        k: factor on the published score; -1 for the checkpoints of LIVE and CSIQ, which were trained on DMOS.
        b: offset added after that.
        score_range: range of the clean scores.
    """
    mapping = check_mapping(k, b)
    state = plain_tensors(unwrapped(checkpoint), "the checkpoint")
    with torch.device("meta"):
        network = DBCNN(DBCNNSettings("vgg16", short_side, "published"), score_range=score_range)
    return fill(network, state, _dbcnn_name, mapping)


def import_scnn(checkpoint: Mapping[str, Any]) -> SCNN:
    """Return S-CNN with the published weights (`scnn.pkl` of DBCNN-PyTorch), in eval mode and frozen.

    Args:
        checkpoint: from `read_checkpoint`: a state dict, with or without `module.` before each name.

    Raises:
        InputError: the checkpoint is not of the published layout; the message lists what differs.
    """

    def published(name: str) -> str:
        head, _, rest = name.partition(".")
        if head == "features":
            return _scnn_name(rest, "features")
        if head == "projection":
            stage, layer, leaf = rest.split(".")
            return f"projection.{3 * int(stage) + (layer == 'norm')}.{leaf}"
        return name

    state = plain_tensors(unwrapped(checkpoint), "the checkpoint")
    with torch.device("meta"):
        network = SCNN()
    return fill(network, state, published, None)


_MOST_CHANNELS = 2048


def _tres_name(name: str) -> str:
    changes = {
        "features.stem.": "model.",
        "features.": "model.",
        "encoder.": "transformer.encoder.",
        "attention.inward.": "self_attn.in_proj_",
        "attention.outward.": "self_attn.out_proj.",
    }
    for ours, theirs in changes.items():
        name = name.replace(ours, theirs)
    return name


def import_tres(
    checkpoint: Mapping[str, Any],
    *,
    short_side: int = 384,
    k: float = 1.0,
    b: float = 0.0,
    score_range: ScoreRange | None = None,
    crops: int = 3,
) -> TReS:
    """Return TReS with the weights of a published checkpoint; see `Importer`.

    The trunk, ResNet18, 34 or 50, is inferred from the shapes. The trunk's ImageNet classifier (`model.fc`), which the
    published network carries but does not use, is left; the pooling windows, constants there, must be ours.

    Args:
        checkpoint: from `read_checkpoint`: a state dict.
        short_side: of photos; the authors scale those of KonIQ-10k to a shorter side of 384 and those of FLIVE to
            512, and take those of the other data sets, most of them of 384 to 512, as they are.
        k: factor on the published score; -1 for checkpoints that were trained on DMOS.
        b: offset added after that.
        score_range: range of the clean scores.
        crops: see `TReSSettings`; 3 x 3 crops cover photos of up to 672 px.
    """
    mapping = check_mapping(k, b)
    state = plain_tensors(unwrapped(checkpoint), "the checkpoint")
    window = torch.tensor(HANNING)
    for number in range(1, 5):
        found = state.pop(f"L2pooling_l{number}.filter", None)
        if found is None or not _is_window(found, window[:, None] * window):
            raise InputError(
                f"expected the Hanning window of the published TReS at L2pooling_l{number}.filter, got "
                f"{'nothing' if found is None else 'another one'}; import the checkpoint of this architecture"
            )
    for leaf in ("weight", "bias"):
        state.pop(f"model.fc.{leaf}", None)
    trunks = ("resnet18", "resnet34", "resnet50")
    candidates = (TReS(TReSSettings(name, short_side, crops), score_range=score_range) for name in trunks)
    with torch.device("meta"):
        network = best_fit(candidates, state, _tres_name)
    return fill(network, state, _tres_name, mapping)


def _is_window(found: Tensor, window: Tensor) -> bool:
    """Return whether a tensor (C, 1, 3, 3), of any precision, holds a window (3, 3) for each channel, of a few."""
    return (
        found.shape[1:] == (1, 3, 3)
        and len(found) <= _MOST_CHANNELS
        and torch.allclose(found.float(), window.expand_as(found), atol=1e-3)
    )


IMPORTERS: dict[str, Importer] = {
    "linearity": import_linearity,
    "dbcnn": import_dbcnn,
    "tres": import_tres,
}
