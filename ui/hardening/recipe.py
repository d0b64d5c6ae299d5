"""A hardening's command, address and key. Knows nothing of Streamlit."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.checks import check_choice
from robustiqa_core.device import Precision
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.hardening import HardeningRecipe, spell_objective
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.pruning import PruningSettings
from ui.hardening.data import ROOT_VARIABLE

TRIAL = "trial"
"""Name of a variant that nobody has named yet."""
NO_POSITION = "none"
MOST_EPOCHS, MOST_CROPS = 40, 1024
"""What a page takes; the command line takes any number."""

_BLOCK: dict[str, Callable[[str], object]] = {
    "variant": str,
    "orthogonalization": str,
    "width": int,
    "grid": int,
    "blend": float,
}
_TUNING: dict[str, Callable[[str], object]] = {"epochs": int, "crops": int, "seed": int}


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
    words = ["robustiqa", "harden", "--model", recipe.model, "--start", recipe.start, "--name", name]
    words += ["--position", recipe.position or NO_POSITION]
    if recipe.block is not None:
        block = recipe.block
        words += ["--variant", block.variant, "--orthogonalization", block.orthogonalization]
        words += ["--width", str(block.width), "--grid", str(block.grid), "--kernel-size", str(block.kernel_size)]
        words += ["--blend", f"{block.blend:g}", "--block-seed", str(block.seed)]
    pruning = recipe.pruning
    words += ["--criterion", pruning.criterion, "--pruning-ratio", f"{pruning.ratio:g}", "--scope", pruning.scope]
    words += ["--objective", spell_objective(recipe.objective), "--tuned", recipe.tuned]
    for name_, value in _numbers(recipe).items():
        words += [f"--{name_.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    words += ["--learn-statistics"] if recipe.learn_statistics else []
    words += ["--precision", recipe.precision]
    if recipe.is_distillation:
        return shlex.join(words)
    return f'{shlex.join([*words, "--dataset", recipe.data])} --root "${ROOT_VARIABLE}"'


def _numbers(recipe: HardeningRecipe) -> dict[str, float | int | None]:
    names = ("epochs", "crops", "validation_crops", "resize", "crop", "batch_size", "rate", "block_rate", "seed")
    return {name: getattr(recipe, name) for name in names if getattr(recipe, name) is not None}


def address_of(recipe: HardeningRecipe) -> dict[str, str]:
    """Return the query parameters that open this view; how it is tuned depends on the server and is left out."""
    pruning = recipe.pruning
    block = {} if recipe.block is None else {name: f"{getattr(recipe.block, name)}" for name in _BLOCK}
    return {
        "model": recipe.model,
        "position": recipe.position or NO_POSITION,
        **block,
        "criterion": pruning.criterion,
        "ratio": f"{pruning.ratio:g}",
        "scope": pruning.scope,
        **{name: str(getattr(recipe, name)) for name in _TUNING},
    }


def read_recipe(parameters: Mapping[str, str], default: HardeningRecipe) -> HardeningRecipe:
    """Return the recipe that an address names; what it leaves out is as in another recipe.

    Args:
        parameters: of the address.
        default: what stands for the rest; its model and position only where the address names no other model.

    Raises:
        ConfigurationError: a value does not exist, cannot be read or is beyond what a page takes.
    """
    model = check_choice("model", parameters.get("model", default.model), ARCHITECTURES)
    position: str | None = parameters.get("position", default.position or NO_POSITION)
    given = {name: _read(name, read, parameters[name]) for name, read in _BLOCK.items() if name in parameters}
    block: BlockSettings | None = replace(default.block or BlockSettings(), **given)  # type: ignore[arg-type]
    if position == NO_POSITION:
        position = block = None
    pruning = PruningSettings(
        criterion=parameters.get("criterion", default.pruning.criterion),
        ratio=float(_read("ratio", float, parameters.get("ratio", str(default.pruning.ratio)))),  # type: ignore[arg-type]
        scope=parameters.get("scope", default.pruning.scope),  # type: ignore[arg-type]
    )
    numbers = {name: _read(name, read, parameters[name]) for name, read in _TUNING.items() if name in parameters}
    made = replace(
        default,
        model=model,
        position=position,
        block=block,
        pruning=pruning,
        tuned="all" if position is None else default.tuned,
        **numbers,  # type: ignore[arg-type]
    )
    if made.epochs > MOST_EPOCHS or (made.crops or 0) > MOST_CROPS:
        raise ConfigurationError(
            f"expected at most {MOST_EPOCHS} epochs and {MOST_CROPS} crops here, got more; use the command line"
        )
    return made


def _read(name: str, read: Callable[[str], object], text: str) -> object:
    try:
        return read(text)
    except ValueError as error:
        raise InputError(f"expected a number for {name}, got {text[:40]!r}; correct the address") from error
