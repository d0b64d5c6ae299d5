"""Checks of an installation against answers that are known: each has a figure, a limit and what it means."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from robustiqa_core.attacks import PGD, complete
from robustiqa_core.blocks import ORTHOGONALIZATIONS, orthogonality_error
from robustiqa_core.checkpoints.storage import list_cards, load_scorer
from robustiqa_core.errors import RobustIQAError
from robustiqa_core.images.photo import decode_image, encode_png, round_to_8bit
from robustiqa_core.models import QualityModel
from robustiqa_core.scorer import ScoreRange

_CHANNELS = 256
# Rounding gives 3e-6 on a CPU; GPUs that convolve in TF32, their default, have three digits.
_ORTHOGONALITY_LIMIT = 2e-3


@dataclass(frozen=True, slots=True)
class Check:
    """One finished check.

    Args:
        name: what was checked.
        figure: the measured error; 0 is perfect.
        limit: largest figure that passes.
        meaning: what a failure would mean, or the error that ended the check.
    """

    name: str
    figure: float
    limit: float
    meaning: str

    @property
    def passed(self) -> bool:
        """Whether the figure is within the limit; not a number never is."""
        return self.figure <= self.limit


class LinearScorer:
    """A scorer whose best attack is known: scores = <weights, images>; raising the score by eps * ||weights||_1."""

    def __init__(self, weights: Tensor) -> None:
        """Keep weights (3, H, W)."""
        self.weights = weights
        self.score_range = ScoreRange(0.0, 1.0)

    def __call__(self, images: Tensor) -> Tensor:
        """Return scores (N,)."""
        return (images * self.weights).sum((1, 2, 3))


def _photos(device: torch.device, count: int = 2, side: int = 96) -> Tensor:
    """Return smooth made-up photos (count, 3, side, side), away from 0 and 1, the same everywhere."""
    noise = torch.rand(count, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise, (side, side), mode="bilinear", align_corners=False)
    return round_to_8bit(0.2 + 0.6 * smooth).to(device)


def canary(device: torch.device) -> float:
    """Return the relative gap between PGD's gain on a linear scorer and the known optimum eps * ||weights||_1."""
    weights = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(device)
    images = _photos(device, 1, 32).double()
    result = complete(PGD(eps=4 / 255, steps=10), LinearScorer(weights), images)
    optimum = 4 / 255 * weights.abs().sum()
    return abs(float((result.adversarial_scores - result.clean_scores) / optimum) - 1)


def png_error(device: torch.device) -> float:
    """Return the largest difference between an image on the 8-bit grid and itself after a PNG file."""
    photo = _photos(device, 1)
    return float((decode_image(encode_png(photo)).images - photo.cpu()).abs().max())


def gradient_error(scorer: QualityModel, device: torch.device) -> float:
    """Return the relative gap between a directional derivative and central differences, in double precision."""
    network = scorer.double()
    images = _photos(device, 1).double().requires_grad_()
    (gradient,) = torch.autograd.grad(network(images).sum(), images)
    direction = gradient / gradient.norm()
    step = 1e-5
    with torch.no_grad():
        slope = (network(images + step * direction) - network(images - step * direction)) / (2 * step)
    return abs(float(slope) / float(gradient.norm()) - 1)


def orthogonality(device: torch.device) -> float:
    """Return the largest |singular value - 1| of the exactly orthogonal convolutions, 256 channels on a 3 x 3 grid.

    Batched inverses, which a wrong thread setting spoils, go wrong at 200 channels and more.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [
            kind(_CHANNELS, _CHANNELS).to(device).eval()
            for kind in ORTHOGONALIZATIONS.values()
            if kind.guarantee == "orthogonal" and not kind.is_control
        ]
    return max(orthogonality_error(layer, _CHANNELS, 3, 3) for layer in layers)


def batch_dependence(scorer: QualityModel, device: torch.device) -> float:
    """Return the largest change of a photo's score by the company of another, as a share of the score range."""
    photos = _photos(device)
    with torch.inference_mode():
        together, alone = scorer(photos), torch.cat([scorer(photo[None]) for photo in photos])
    return float((together - alone).abs().max()) / scorer.score_range.width


def run_checks(device: torch.device) -> Iterator[Check]:
    """Yield the checks one after the other; an error of the core ends its check as failed, not the others."""
    yield _check(
        "PGD on a linear scorer",
        lambda: canary(device),
        1e-9,
        "the attack does not reach the known optimum: its results understate fragility",
    )
    yield _check("PNG round trip", lambda: png_error(device), 0.0, "a downloaded image is not the attacked one")
    if device.type != "mps":  # has no complex inverses
        yield _check(
            "orthogonal convolutions keep every length",
            lambda: orthogonality(device),
            _ORTHOGONALITY_LIMIT,
            "a hardened model is not what its card says; do not call torch.set_num_threads, set OMP_NUM_THREADS",
        )
    for card in list_cards():
        name = f"{card.model} {card.variant}"

        def load(model: str = card.model, variant: str = card.variant) -> QualityModel:
            return load_scorer(model, variant, device=device)

        yield _check(
            f"{name}: independence of the batch",
            lambda load=load: batch_dependence(load(), device),  # type: ignore[misc]
            1e-3,
            "a photo's score depends on the photos beside it",
        )
        if device.type != "mps":  # has no double precision
            yield _check(
                f"{name}: gradient against finite differences",
                lambda load=load: gradient_error(load(), device),  # type: ignore[misc]
                1e-3,
                "gradients are wrong or hidden: attacks that use them understate fragility",
            )


def _check(name: str, measure: Callable[[], float], limit: float, meaning: str) -> Check:
    try:
        return Check(name, measure(), limit, meaning)
    except RobustIQAError as error:
        return Check(name, float("nan"), limit, str(error))
