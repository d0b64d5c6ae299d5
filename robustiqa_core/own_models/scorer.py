"""A model of the user's own as a checked Scorer, and the one place where a name becomes a Scorer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.attacks.objective import score_gradient
from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.images import read_image, round_to_8bit
from robustiqa_core.models.card import ModelCard
from robustiqa_core.models.preprocessing import check_model_input, fit, normalise
from robustiqa_core.own_models.catalogue import OwnModel, from_source, list_own_models
from robustiqa_core.own_models.sources import Network, open_source
from robustiqa_core.samples import list_samples
from robustiqa_core.scorer import Scorer, ScoreRange
from robustiqa_core.storage import load_card, load_scorer

# What networks raise on photos of a size or number that they were not made for.
_REFUSALS = (RuntimeError, AssertionError, TypeError, ValueError, IndexError)


@dataclass(frozen=True, slots=True, eq=False)
class OwnScorer:
    """A network of the user's own as a Scorer.

    Args:
        network: from prepared photos to (N,) or (N, 1).
        model: what is known of it.
        score_range: of the scores, larger is better.
        one_by_one: whether each photo of a batch is scored on its own, as for a network that takes one at a time or
            lets the photos of a batch influence each other.
    """

    network: Network
    model: OwnModel
    score_range: ScoreRange
    one_by_one: bool = False

    def __call__(self, images: Tensor) -> Tensor:
        """Return scores (N,), larger is better, of images (N, 3, H, W), RGB in [0, 1]."""
        x = normalise(self._resized(check_model_input(images)), self.model.mean, self.model.deviation)
        parts = x.chunk(len(x)) if self.one_by_one else (x,)
        outputs = torch.cat([self._output(part) for part in parts])
        return outputs if self.model.higher_is_better else -outputs

    def _resized(self, images: Tensor) -> Tensor:
        size = self.model.size
        if isinstance(size, tuple):
            return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        return images if size is None else fit(images, size)

    def _output(self, images: Tensor) -> Tensor:
        """Return what the network says, (N,), in float32 or finer."""
        output = self.network(images)
        count = len(images)
        if not isinstance(output, Tensor) or output.shape not in ((count,), (count, 1)):
            found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise InputError(
                f"expected scores ({count},) or ({count}, 1) of a network, got {found}; "
                "wrap the network so that it returns one number a photo"
            )
        return output.flatten().to(torch.promote_types(output.dtype, torch.float32))


def resolve_scorer(model: str = "linearity", variant: str = "baseline", *, device: torch.device) -> Scorer:
    """Return the Scorer that a name stands for.

    Args:
        model: the name of a model of your own (listed in ROBUSTIQA_MODELS), the source of one, or an architecture.
        variant: of an architecture: `baseline` or a hardened version. One's own models have no variants.
        device: where it shall compute.

    Raises:
        RobustIQAError: there is no such model, or one's own is not what a Scorer must be; see `load_own_scorer`.
    """
    own = find_own_model(model)
    return load_scorer(model, variant, device=device) if own is None else load_own_scorer(own, device=device)


def find_own_model(model: str) -> OwnModel | None:
    """Return the model of the user's own that a name or a source stands for; None for the name of an architecture.

    Example:
        >>> find_own_model("linearity") is None, find_own_model("nets.py:make").name
        (True, 'make')
    """
    listed = {own.name: own for own in list_own_models()}
    if model in listed:
        return listed[model]
    return from_source(model) if any(mark in model for mark in ":./\\") else None


def resolve_card(model: str, variant: str = "baseline", *, scorer: Scorer) -> ModelCard:
    """Return the card of the model that `resolve_scorer` made `scorer` of, from the same name and variant."""
    own = find_own_model(model)
    return load_card(model, variant) if own is None else own.card(scorer.score_range)


def own_cards(load: Callable[[str], Scorer]) -> tuple[ModelCard, ...]:
    """Return the cards of the models that ROBUSTIQA_MODELS lists.

    Args:
        load: returns the Scorer of a model by its name; called where the list does not give the range of the scores.
    """
    return tuple(
        own.card(own.signed(own.score_range) if own.score_range else load(own.name).score_range)
        for own in list_own_models()
    )


def load_own_scorer(own: OwnModel, *, device: torch.device) -> OwnScorer:
    """Return a model of the user's own, checked: finite, repeatable scores that can be differentiated.

    Args:
        own: what is known of it.
        device: where it shall compute.

    Raises:
        ConfigurationError: its source cannot be found or called.
        InputError: it cannot score a photo, or gives something else than one score a photo, or no gradient.
        NumericalError: its scores or gradients are not finite, or differ from call to call.
    """
    network = open_source(own.source, device)
    stated = own.score_range or getattr(network, "score_range", None)
    known = stated if isinstance(stated, ScoreRange) else None
    scorer = OwnScorer(network, own, own.signed(known or ScoreRange(0.0, 1.0)))
    photos = _probes(device)
    scorer = replace(scorer, one_by_one=not _takes_batches(scorer, photos))
    _check(scorer, photos)
    return scorer if known else replace(scorer, score_range=measured_range(scorer, device))


def measured_range(scorer: Scorer, device: torch.device) -> ScoreRange:
    """Return the lowest and highest score of the sample photos."""
    with torch.inference_mode():
        scores = [float(scorer(read_image(photo.path).images.to(device))) for photo in list_samples()]
    return ScoreRange(min(scores), max(scores))


def _probes(device: torch.device) -> Tensor:
    """Return two made-up photos, smooth with some grain, of no special size."""
    generator = torch.Generator().manual_seed(0)
    smooth = F.interpolate(torch.rand(2, 3, 8, 10, generator=generator), (256, 320), mode="bicubic")
    grain = torch.randn(smooth.shape, generator=generator)
    return round_to_8bit((0.1 + 0.8 * smooth + 0.02 * grain).clamp(0.0, 1.0)).to(device)


@torch.no_grad()
def _takes_batches(scorer: OwnScorer, photos: Tensor) -> bool:
    """Return whether a batch gives each photo the score that it has alone."""
    try:
        together = scorer(photos)
        alone = torch.cat([scorer(photo[None]) for photo in photos])
    except _REFUSALS:
        return False
    return torch.allclose(together, alone, rtol=1e-3, atol=1e-5)


def _check(scorer: OwnScorer, photos: Tensor) -> None:
    """Raise unless the scores are finite, the same on every call and can be differentiated."""
    source = scorer.model.source
    try:
        scores, gradient = score_gradient(scorer, photos)
        again, _ = score_gradient(scorer, photos)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    except _REFUSALS as error:
        height, width = photos.shape[-2:]
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"expected {source!r} to score a photo of {width} x {height} px, got an error ({reason}); "
            "if it takes photos of one size only, list it in a file with its size"
        ) from error
    if not (scores.isfinite().all() and gradient.isfinite().all()):
        raise NumericalError(f"expected finite scores and gradients of {source!r}, got others; check its weights")
    if not torch.allclose(scores, again, rtol=1e-4, atol=1e-6):
        raise NumericalError(
            f"expected the same scores of {source!r} on every call, got {scores.tolist()} and {again.tolist()}; "
            "switch off what is random in it, such as dropout or random crops"
        )
    if not gradient.abs().sum((1, 2, 3)).all():
        raise ConfigurationError(
            f"expected a score of {source!r} that depends on the photo, got a gradient of zero; "
            "remove rounding, clipping or detach() from it"
        )
