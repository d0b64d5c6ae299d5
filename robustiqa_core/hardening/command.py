"""From the options of a command to a recipe, and from a recipe to the command that repeats it."""

import shlex
from collections.abc import Mapping
from typing import Any

from robustiqa_core.device import Precision
from robustiqa_core.hardening.objectives import Objective
from robustiqa_core.hardening.recipe import DISTILLATION, HARDENING, LABELLED_VALIDATION, HardeningRecipe
from robustiqa_core.models import architecture


def last_stage(model: str, settings: Mapping[str, Any]) -> str:
    """Return the insertion point behind the last stage of the trunk, where a block goes unless another is named.

    Args:
        model: architecture.
        settings: the architecture's, by name, as its card has them.
    """
    points = architecture(model).insertion_points(settings)
    return [point.name for point in points if point.module.startswith("features.")][-1]


def complete(given: Mapping[str, Any], *, position: str, precision: Precision) -> HardeningRecipe:
    """Return a recipe of given values; of the others, those whose default depends on the rest are filled in.

    Args:
        given: by the path of the field, as `HARDENING.given` returns them.
        position: where the block goes if nothing is said of it.
        precision: likewise.

    Raises:
        ConfigurationError: a value is out of its range, or two of them contradict each other.
    """
    labelled = given.get("data", DISTILLATION) != DISTILLATION
    place = given.get("position", position)
    pixels = given.get("objective", Objective()).needs_pixels
    defaults = {
        "position": position,
        "tuned": "all" if place is None or pixels else "rest",
        "precision": precision,
        **({"crops": None, "validation_crops": LABELLED_VALIDATION} if labelled else {}),
    }
    return HARDENING.build({**defaults, **given})


def harden_command(recipe: HardeningRecipe, name: str) -> str:
    """Return the command line that makes the same checkpoint; of a labelled set, without its folder.

    Args:
        recipe: how.
        name: of the new variant.
    """
    words = ["robustiqa", "harden", "--name", name, *HARDENING.words(recipe, skip=("data",))]
    return shlex.join(words if recipe.is_distillation else [*words, "--dataset", recipe.data])
