"""The models of a table by their names, and the ranges of scores that its figures are scaled by."""

from collections.abc import Mapping

import torch

from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.device import device_of
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.tables.plan import TableModel, TablePlan
from robustiqa_core.evaluation.tables.summary import Reference
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import list_samples
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.names import did_you_mean
from robustiqa_core.own_models import OWN, find_own_model, list_own_models, resolve_card, resolve_scorer
from robustiqa_core.scorer import Scorer, ScoreRange

BASELINE = "baseline"
"""Variant that the others of its architecture are compared with."""


def split_name(name: str) -> tuple[str, str]:
    """Return model and variant of a name such as `linearity-hardened`; one's own models have no variants.

    Raises:
        ConfigurationError: neither a bundled architecture nor a model of your own; the message lists the models.

    Example:
        >>> split_name("linearity"), split_name("linearity-hardened-plus"), split_name("my-nets:make")
        (('linearity', 'baseline'), ('linearity', 'hardened-plus'), ('my-nets:make', 'own'))
    """
    architecture, _, variant = name.partition("-")
    if architecture in ARCHITECTURES:
        return architecture, variant or BASELINE
    # Without any checkpoint, what loads the model says where they are to be had.
    if find_own_model(name) is None and (known := list_models()):
        hint = did_you_mean(name, [*ARCHITECTURES, *known], "choose one, or name the file or module of yours")
        raise ConfigurationError(f"a model must be one of {', '.join(known)}, got {name!r}; {hint}")
    return name, OWN


def list_models() -> tuple[str, ...]:
    """Return the names of all models: the bundled ones with their variants, then those listed in ROBUSTIQA_MODELS."""
    return (*(card.stem for card in list_cards()), *(own.name for own in list_own_models()))


def named_model(name: str, *, device: torch.device) -> TableModel:
    """Return the model called `linearity-hardened`, or a model of the user's own.

    Raises:
        RobustIQAError: there is no such model; see `resolve_scorer`.
    """
    model, variant = split_name(name)
    scorer = resolve_scorer(model, variant, device=device)
    sha256 = resolve_card(model, variant, scorer=scorer).sha256
    return TableModel(model, variant, scorer, sha256 or fingerprint(scorer))


@torch.inference_mode()
def fingerprint(scorer: Scorer) -> str:
    """Return what stands for the digest of weights that are in no checkpoint: the score of a sample photo."""
    photo = list_samples()[0]
    images = read_image(photo.path).images.to(device_of(scorer))
    return f"score {float(scorer(images)):.5g} of {photo.name}"


def table_reference(plan: TablePlan, *, baseline: str | None = None, fixed: ScoreRange | None = None) -> Reference:
    """Return the ranges that the conventions need for the models of a table.

    Args:
        plan: of the table.
        baseline: model and variant that all are compared with; by default the baseline of each architecture.
        fixed: the nominal scale, where it is known.
    """
    own = {model.stem: model.scorer.score_range for model in plan.models}
    ranges = {card.stem: card.score_range for card in list_cards()}
    return reference_of({model.stem: model.model for model in plan.models}, own, ranges, baseline=baseline, fixed=fixed)


def reference_of(
    models: Mapping[str, str],
    own: Mapping[str, ScoreRange],
    ranges: Mapping[str, ScoreRange],
    *,
    baseline: str | None = None,
    fixed: ScoreRange | None = None,
) -> Reference:
    """Return the ranges that the conventions need; a model without a known baseline is compared with itself.

    Args:
        models: architectures by stem.
        own: ranges of their clean scores, by stem.
        ranges: those of all models that there are.
        baseline: stem of the model that all are compared with; by default the baseline of each architecture.
        fixed: the nominal scale, where it is known.
    """
    known = {**ranges, **own}
    compared = {stem: baseline or f"{model}-{BASELINE}" for stem, model in models.items()}
    return Reference(own, {stem: other if other in known else stem for stem, other in compared.items()}, known, fixed)
