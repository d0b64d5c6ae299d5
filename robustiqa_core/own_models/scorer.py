"""A model of the user's own as a checked Scorer, and the one place where a name becomes a Scorer."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.attacks.objective import score_gradient
from robustiqa_core.checkpoints.storage import load_card, load_scorer
from robustiqa_core.errors import ConfigurationError, InputError, NumericalError, RobustIQAError
from robustiqa_core.images.photo import read_image, round_to_8bit
from robustiqa_core.images.samples import list_samples
from robustiqa_core.models.card import ModelCard, UnusableModel
from robustiqa_core.models.preprocessing import check_model_input, fit, normalise
from robustiqa_core.own_models.catalogue import MODELS_VARIABLE, OwnModel, from_source, listed_model, usable_models
from robustiqa_core.own_models.diagnosis import advice
from robustiqa_core.own_models.digest import digest_of
from robustiqa_core.own_models.foreign import importing_beside, user_code
from robustiqa_core.own_models.sources import Network, open_source
from robustiqa_core.scorer import Scorer, ScoreRange


@dataclass(frozen=True, slots=True, eq=False)
class OwnScorer:
    """A network of the user's own as a Scorer.

    Args:
        network: from prepared photos to (N,) or (N, 1).
        model: what is known of it.
        score_range: of the scores, larger is better.
        one_by_one: whether each photo of a batch is scored on its own, as for a network that takes one at a time or
            lets the photos of a batch influence each other.
        black_box: whether it has no gradient to give; attacks that need none still work.
        digest: of what it is: its files, its settings and some scores.
    """

    network: Network
    model: OwnModel
    score_range: ScoreRange
    one_by_one: bool = False
    black_box: bool = False
    digest: str = ""

    def __call__(self, images: Tensor) -> Tensor:
        """Return scores (N,), larger is better, of images (N, 3, H, W), RGB in [0, 1].

        Raises:
            InputError: the network's code raises, or returns something else than one number a photo.
            NumericalError: a score is NaN or infinite.
        """
        with torch.no_grad() if self.black_box else contextlib.nullcontext():
            x = self.prepared(check_model_input(images))
            parts = x.chunk(len(x)) if self.one_by_one else (x,)
            outputs = torch.cat([self._output(part) for part in parts])
            if not outputs.isfinite().all():
                raise NumericalError(
                    f"expected finite scores of {self.model.source!r}, got {outputs.tolist()}; check its weights"
                )
            return outputs if self.model.higher_is_better else -outputs

    def prepared(self, images: Tensor) -> Tensor:
        """Return images (N, 3, h, w) as the network gets them."""
        return normalise(self._resized(images), self.model.mean, self.model.deviation)

    def ask(self, images: Tensor) -> Tensor:
        """Return whatever the network returns for prepared images, which a network of the user's own may not do."""
        with user_code(self.model.source, f"score a photo of {images.shape[3]} x {images.shape[2]} px"):
            return self.network(images)

    def _resized(self, images: Tensor) -> Tensor:
        size = self.model.size
        if isinstance(size, tuple):
            return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        return images if size is None else fit(images, size)

    def _output(self, images: Tensor) -> Tensor:
        """Return what the network says, (N,), in float32 or finer."""
        output: object = self.ask(images)
        count = len(images)
        if not isinstance(output, Tensor) or output.shape not in ((count,), (count, 1)) or output.is_complex():
            raise InputError(
                f"expected scores ({count},) or ({count}, 1) of a network, {_told(output)}; "
                "wrap the network so that it returns one number per photo, as a tensor"
            )
        with user_code(self.model.source, "return scores that can be read"):
            scores = output.flatten().to(torch.promote_types(output.dtype, torch.float32))
            # A scorer's scores lie where its photos do.
            return scores.to(images.device)


def _told(output: object) -> str:
    """Return in words what a network returned."""
    if output is None:
        return "but it returned None"
    if isinstance(output, Tensor):
        return f"got {'complex numbers ' if output.is_complex() else ''}{tuple(output.shape)}"
    return f"got {type(output).__name__}"


def resolve_scorer(model: str = "linearity", variant: str = "baseline", *, device: torch.device) -> Scorer:
    """Return the Scorer that a name stands for.

    Args:
        model: the name of a model of your own (listed in ROBUSTIQA_MODELS), the source of one, or an architecture.
        variant: of an architecture: `baseline` or a hardened version. One's own models have no variants.
        device: where to run it.

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
    listed = listed_model(model)
    if listed is not None:
        return listed
    return from_source(model) if any(mark in model for mark in ":./\\") else None


def resolve_card(model: str, variant: str = "baseline", *, scorer: Scorer) -> ModelCard:
    """Return the card of the model that `resolve_scorer` made `scorer` of, from the same name and variant."""
    own = find_own_model(model)
    return load_card(model, variant) if own is None else _card(own, scorer)


def _card(own: OwnModel, scorer: Scorer) -> ModelCard:
    return own.card(scorer.score_range, scorer.digest if isinstance(scorer, OwnScorer) else "")


def own_cards(load: Callable[[str], Scorer]) -> tuple[tuple[ModelCard, ...], tuple[UnusableModel, ...]]:
    """Return the cards of the models that ROBUSTIQA_MODELS lists, and those of them that cannot be used.

    Args:
        load: returns the Scorer of a model by its name, or raises RobustIQAError.
    """
    try:
        listed, unusable = usable_models()
    except InputError as error:
        return (), (UnusableModel(os.environ.get(MODELS_VARIABLE, MODELS_VARIABLE), str(error)),)
    cards: list[ModelCard] = []
    refused = list(unusable)
    for own in listed:
        try:
            cards.append(_card(own, load(own.name)))
        except RobustIQAError as error:
            refused.append(UnusableModel(own.name, str(error)))
    return tuple(cards), tuple(refused)


def load_own_scorer(own: OwnModel, *, device: torch.device) -> OwnScorer:
    """Return a model of the user's own, checked: finite, repeatable scores that depend on the photo.

    Args:
        own: what is known of it.
        device: where to run it.

    Raises:
        ConfigurationError: its source cannot be found or called, or its score is the same for different photos.
        InputError: its code raises, or it gives something else than one score a photo.
        NumericalError: its scores or gradients are not finite, or differ from call to call.
    """
    with importing_beside(own.source):
        network = open_source(own.source, device)
        with user_code(own.source, "have a score_range that can be read"):
            stated = own.score_range or getattr(network, "score_range", None)
        known = stated if isinstance(stated, ScoreRange) else None
        scorer = OwnScorer(network, own, own.signed(known or ScoreRange(0.0, 1.0)))
        photos = _probes(device)
        scorer = replace(scorer, one_by_one=not _takes_batches(scorer, photos))
        scores = _checked_scores(scorer, photos)
        scorer = replace(scorer, black_box=not _has_gradient(scorer, photos), digest=digest_of(own, scores.tolist()))
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
    except InputError:
        return False
    return torch.allclose(together, alone, rtol=1e-3, atol=1e-5)


@torch.no_grad()
def _checked_scores(scorer: OwnScorer, photos: Tensor) -> Tensor:
    """Return the scores (N,) if they are finite, the same on every call and others for another photo, else raise."""
    source = scorer.model.source
    first = scorer.prepared(photos[:1])
    try:
        scorer.ask(first)
    except InputError as error:
        told = str(error).rpartition("; ")[0]
        raise InputError(f"{told}; {advice(scorer.ask, first)}") from error
    try:
        scores, again = scorer(photos), scorer(photos)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    if not torch.allclose(scores, again, rtol=1e-4, atol=1e-6):
        raise NumericalError(
            f"expected the same scores of {source!r} on every call, got {scores.tolist()} and {again.tolist()}; "
            "switch off its randomness, such as dropout or random crops"
        )
    others = scorer(torch.cat((torch.full_like(photos[:1], 0.5), 1 - photos[:1])))
    if len({*scores.tolist(), *others.tolist()}) == 1:
        raise ConfigurationError(
            f"expected a score of {source!r} that depends on the photo, got {scores[0]:.6g} for four unrelated photos; "
            "return the score before it is clipped"
        )
    return scores


def _has_gradient(scorer: OwnScorer, photos: Tensor) -> bool:
    """Return whether attacks can follow the model's gradient: not where there is none, or it is 0 as after rounding.

    Raises:
        NumericalError: there is one, and it is not finite.
    """
    try:
        with user_code(scorer.model.source, "give a gradient"):
            _, gradient = score_gradient(scorer, photos)
    # The scores can be had, as was seen before.
    except InputError:
        return False
    if not gradient.isfinite().all():
        raise NumericalError(
            f"expected finite gradients of {scorer.model.source!r}, got NaN or infinity; look for a division by 0"
        )
    return bool(gradient.abs().sum((1, 2, 3)).all())
