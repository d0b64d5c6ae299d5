"""The growth of a photo's perturbation through the stages of a model, and its upper bound."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from robustiqa_core.checks import check_choice, check_images
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.scorer import InsertionPoint, ScoreRange
from robustiqa_core.spectra.activations import Activations, length, pass_through, traced_pass, weight_sharing_copy
from robustiqa_core.spectra.singular import largest_singular_value

INPUT_POINT = "input"
SCORE_POINT = "score"
"""Names of the two ends, beside those of the insertion points."""

Norms = Literal["none", "stage", "all"]
NORMS: tuple[Norms, ...] = ("none", "stage", "all")


@dataclass(frozen=True, slots=True)
class Growth:
    """What was measured at one point of a model for one photo x and its perturbations d.

    Args:
        photo: index of the photo.
        point: `input`, the name of an insertion point, or `score`.
        shape: (channels, height, width) of the values h there; (1, 1, 1) for the score.
        relative: for each kind of perturbation, (|h(x + d) - h(x)| / |h(x)|) / (|d| / |x|): by how much the share of
            the change in the signal has grown since the input. For the score, whose zero means nothing, the width of
            its range stands in place of |h(x)|. NaN for a perturbation that is 0.
        stage: for each kind, |change of the stage's output| / |change of its input|, where the stage is the module
            whose output the point names. Empty for input and score.
        stage_norm: largest singular value of the stage's Jacobian at the photo, which for small changes bounds
            `stage`. None for input and score, or if not requested.
        input_norm: the same of the whole way from the input to the point; for the score, the length of its gradient.
        input_bound: input_norm * |x| / |h(x)|, which for small changes bounds `relative`.
        dimension_ratio: the paper's heuristic c_out s_out^2 / (c_in s_in^2): values in the stage's output for one
            in its input. It is a count, not a measurement. None for input and score.
    """

    photo: int
    point: str
    shape: tuple[int, int, int]
    relative: Mapping[str, float]
    stage: Mapping[str, float]
    stage_norm: float | None = None
    input_norm: float | None = None
    input_bound: float | None = None
    dimension_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean of a figure over the photos, with its standard deviation (0 for one photo) and its ends."""

    mean: float
    deviation: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class PointSummary:
    """What was measured at one point, over all photos; the fields are those of `Growth`."""

    point: str
    photos: int
    relative: Mapping[str, Spread]
    stage: Mapping[str, Spread]
    stage_norm: Spread | None
    input_norm: Spread | None
    input_bound: Spread | None
    dimension_ratio: Spread | None


def measure_amplification(
    model: nn.Module,
    points: Sequence[InsertionPoint],
    images: Tensor,
    perturbed: Mapping[str, Tensor],
    *,
    score_range: ScoreRange,
    norms: Norms = "stage",
) -> Iterator[Growth]:
    """Return an iterator over the measurements: photo by photo, and for each photo from the input to the score.

    Arguments are not modified: the hooks are on a copy of the modules that shares the weights, so that other threads
    can use the model at the same time.

    Args:
        model: the network, in evaluation mode, which is also a Scorer.
        points: where to measure, in depth order, such as the architecture's `insertion_points`.
        images: (N, 3, H, W), float, RGB in [0, 1].
        perturbed: the changed photos, of the shape of `images`, by kind of perturbation, such as "pgd" and "noise".
        score_range: of the model.
        norms: largest singular values to compute: "none", "stage" (of each stage: some seconds a photo of 300 px on
            two cores) or "all" (of the ways from the input, too: some ten times as long).

    Raises:
        InputError: the images are invalid, or the model is in training mode.
        ConfigurationError: a point names no module of the model, or one that a photo does not pass exactly once.
        NumericalError: a singular value was not found to its tolerance.
    """
    check_choice("norms", norms, NORMS)
    if model.training:
        raise InputError("expected a model in evaluation mode, got one in training mode; call its eval() first")
    check_images(images)
    for kind, changed in perturbed.items():
        if check_images(changed).shape != images.shape:
            raise InputError(
                f"expected photos changed by {kind} of the shape {tuple(images.shape)}, got {tuple(changed.shape)}; "
                "pass one changed photo for each photo"
            )
    known = dict(model.named_modules())
    for point in points:
        if point.module not in known:
            raise ConfigurationError(
                f"expected {point.name} to name a module of the model, got {point.module!r}; "
                "use the insertion points for the model's settings"
            )
    return _growths(weight_sharing_copy(model).requires_grad_(False), points, images, perturbed, score_range, norms)


def _growths(
    model: nn.Module,
    points: Sequence[InsertionPoint],
    images: Tensor,
    perturbed: Mapping[str, Tensor],
    score_range: ScoreRange,
    norms: Norms,
) -> Iterator[Growth]:
    modules = [point.module for point in points]
    for photo in range(len(images)):
        clean = images[photo : photo + 1]
        ways = {kind: pass_through(model, modules, changed[photo : photo + 1]) for kind, changed in perturbed.items()}
        base = traced_pass(model, modules, clean) if norms == "all" else pass_through(model, modules, clean)
        shares = {kind: length(way.image - clean) / length(clean) for kind, way in ways.items()}
        yield Growth(photo, INPUT_POINT, _shape(clean), {kind: _ratio(s, s) for kind, s in shares.items()}, {})
        for point in points:
            yield _at_point(model, photo, point, base, ways, shares, norms)
        width = score_range.width
        norm = largest_singular_value(base.score, base.image) if norms == "all" else None
        yield Growth(
            photo,
            SCORE_POINT,
            (1, 1, 1),
            {kind: _ratio(length(way.score - base.score) / width, shares[kind]) for kind, way in ways.items()},
            {},
            input_norm=norm,
            input_bound=None if norm is None else norm * length(clean) / width,
        )


def _at_point(
    model: nn.Module,
    photo: int,
    point: InsertionPoint,
    base: Activations,
    ways: Mapping[str, Activations],
    shares: Mapping[str, float],
    norms: Norms,
) -> Growth:
    """Return what is measured at an insertion point, from the passage of the photo and those of its changed ones."""
    name = point.module
    entering, leaving = base.entering[name], base.leaving[name]
    signal = length(leaving)
    came = {kind: length(way.entering[name] - entering) for kind, way in ways.items()}
    went = {kind: length(way.leaving[name] - leaving) for kind, way in ways.items()}
    norm = largest_singular_value(leaving, base.image) if norms == "all" else None
    return Growth(
        photo,
        point.name,
        _shape(leaving),
        {kind: _ratio(_ratio(went[kind], signal), shares[kind]) for kind in ways},
        {kind: _ratio(went[kind], came[kind]) for kind in ways},
        None if norms == "none" else _module_norm(model.get_submodule(name), entering),
        norm,
        None if norm is None else _ratio(norm * length(base.image), signal),
        leaving.numel() / entering.numel(),
    )


@torch.inference_mode(False)
@torch.enable_grad()
def _module_norm(module: nn.Module, entering: Tensor) -> float:
    """Return the largest singular value of a module's Jacobian at what enters it."""
    leaf = entering.detach().clone().requires_grad_()
    # A copy goes in, since a module may work in place, which a leaf forbids.
    return largest_singular_value(module(leaf.clone()), leaf)


def summarise(growths: Sequence[Growth]) -> tuple[PointSummary, ...]:
    """Return mean and spread over the photos for each point, in the order of the points."""
    summaries = []
    for point in dict.fromkeys(growth.point for growth in growths):
        found = [growth for growth in growths if growth.point == point]
        summaries.append(
            PointSummary(
                point,
                len(found),
                {kind: _spread([growth.relative[kind] for growth in found]) for kind in found[0].relative},
                {kind: _spread([growth.stage[kind] for growth in found]) for kind in found[0].stage},
                *(
                    _optional_spread([getattr(growth, name) for growth in found])
                    for name in ("stage_norm", "input_norm", "input_bound", "dimension_ratio")
                ),
            )
        )
    return tuple(summaries)


def _spread(values: Sequence[float]) -> Spread:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(statistics.fmean(values), deviation, min(values), max(values))


def _optional_spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return _spread(known) if known else None


def _ratio(value: float, reference: float) -> float:
    """Return value / reference; NaN where there is nothing to compare with."""
    return value / reference if reference else math.nan


def _shape(values: Tensor) -> tuple[int, int, int]:
    """Return (channels, height, width) of maps (N, C, H, W); 1 for axes that vectors (N, C) lack."""
    channels, height, width = (*values.shape[1:], 1, 1)[:3]
    return channels, height, width
