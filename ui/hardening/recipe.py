"""A hardening's command, address and key. Knows nothing of Streamlit."""

from collections.abc import Mapping

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.device import Precision
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import HARDENING, HardeningRecipe, harden_command
from robustiqa_core.pruning import PruningSettings
from ui.hardening.data import ROOT_VARIABLE

TRIAL = "trial"
"""Name of a variant that nobody has named yet."""
MOST_EPOCHS, MOST_CROPS = 40, 1024
"""What a page takes; the command line takes any number."""


def new_recipe(
    model: str, position: str | None, block: BlockSettings | None, *, data: str, precision: Precision = "float32"
) -> HardeningRecipe:
    """Return a short hardening of a baseline: what the pages begin with.

    Args:
        model: architecture.
        position: insertion point; None for no block.
        block: the block; None where there is no position.
        data: name of the labelled set, or `distillation`.
        precision: of the tuning.
    """
    tuned = "all" if position is None else "rest"
    nothing = PruningSettings(ratio=0.0)
    return HardeningRecipe(
        model=model,
        position=position,
        block=block,
        pruning=nothing,
        tuned=tuned,  # type: ignore[arg-type]
        data=data,
        precision=precision,
    )


def key_of(recipe: HardeningRecipe, start_sha256: str) -> str:
    """Return the name under which a trial is kept: of its recipe and of the weights that it started from."""
    return f"harden-{recipe.key()}-{start_sha256[:8]}"


def command_of(recipe: HardeningRecipe, name: str) -> str:
    """Return the command line that makes the same checkpoint.

    Args:
        recipe: how.
        name: of the new variant.
    """
    command = harden_command(recipe, name)
    return command if recipe.is_distillation else f'{command} --root "${ROOT_VARIABLE}"'


def address_of(recipe: HardeningRecipe) -> dict[str, str]:
    """Return the query parameters that open this view; data and precision depend on the server and are left out."""
    block = None if recipe.position is None else BlockSettings()
    return HARDENING.address(recipe, new_recipe(recipe.model, recipe.position, block, data=recipe.data))


def read_recipe(parameters: Mapping[str, str], default: HardeningRecipe) -> HardeningRecipe:
    """Return the recipe that an address names; what it leaves out is as in another recipe.

    Args:
        parameters: of the address.
        default: what stands for the rest; its model and position only where the address names no other model.

    Raises:
        ConfigurationError: a value does not exist, cannot be read or is beyond what a page takes.
    """
    given = HARDENING.named(parameters)
    position = given.get("position", default.position)
    given.setdefault("tuned", "all" if position is None else "rest")
    made = HARDENING.build(given, default)
    if made.epochs > MOST_EPOCHS or (made.crops or 0) > MOST_CROPS:
        raise ConfigurationError(
            f"expected at most {MOST_EPOCHS} epochs and {MOST_CROPS} crops here, got more; use the command line"
        )
    return made


def check_controls(recipe: HardeningRecipe, usual: HardeningRecipe) -> None:
    """Raise ConfigurationError if a recipe differs from the usual one in what a page has no control for."""
    asked = HARDENING.address(recipe, usual)
    if hidden := [leaf.parameter for leaf in HARDENING.leaves if leaf.parameter in asked and not leaf.setting.shown]:
        raise ConfigurationError(f"expected no {' or '.join(hidden)} here, which has no control; use the command line")
