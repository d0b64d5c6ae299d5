"""What recipes and trials are called, and what their figures mean. Knows nothing of Streamlit."""

from robustiqa_core.auditing.diagnosis import HardenedFigures
from robustiqa_core.hardening import AdversarialTraining, HardeningRecipe, read_variants
from robustiqa_core.metrics.correlation import spell_correlation
from robustiqa_core.models.card import ModelCard
from robustiqa_core.verdict import Comparison, Movement, Verdict, judge, known_agreement, rates_as_before
from ui.hardening.job import Trial
from ui.hardening.progress import front_share
from ui.shell.model_names import model_name, place_name, version_name
from ui.shell.verdicts import sentence

ORTHOGONALIZATION_NAMES = {
    "cayley": "Cayley (orthogonal)",
    "aoc": "AOC (orthogonal, cheap)",
    "soc": "SOC (orthogonal)",
    "aol": "AOL (at most 1)",
    "plain": "Control: plain convolution",
    "identity": "Control: identity",
    "contraction": "Control: contraction",
}
_UNMOVED = 0.1
"""Share of unmoved crops from which the gain says little."""
CONTROLS = ("plain", "identity", "contraction")
VARIANT_NAMES = {"isometric": "Isometric", "paper": "The paper's"}
CRITERION_NAMES = {"random": "Random", "l1": "Weights (l1)", "l2": "Weights (l2)", "pls_vip": "Photos (PLS-VIP)"}
"""The pruning criteria, from the uninformed one to those that look at photos."""
COLUMNS = {
    "number": "Trial",
    "position": "Position",
    "block": "Block",
    "pruned": "Pruned",
    "epochs": "Epochs",
    "agreement": "SROCC with the baseline",
    "mos": "SROCC with people",
    "gain_before": "AbsGain before",
    "gain_after": "AbsGain after",
    "r_before": "R-score before",
    "r_after": "R-score after",
    "milliseconds": "ms per image",
    "spread": "Spread of scores",
}


def hardened_by(card: ModelCard) -> str:
    """Return what was done to a hardened model, in words.

    Args:
        card: of the model, with its recipe.
    """
    recipe = HardeningRecipe.from_json(card.hardening["recipe"], place=card.stem)
    done = [] if recipe.trunk is None else [f"the trunk of {recipe.trunk}"]
    if recipe.weights is not None:
        variants = read_variants(recipe.weights)
        named = " and ".join(f"{recipe.model}-{name}" for name, _ in variants)
        shares = [str(share) for _, share in variants]
        told = f" ({' to '.join(shares)})" if len(set(shares)) > 1 else ""
        done.append(f"the weights of {named}" if len(variants) == 1 else f"the mean{told} of the weights of {named}")
    if recipe.block is not None:
        kind = f"{VARIANT_NAMES[recipe.block.variant].lower()}, {recipe.block.orthogonalization}"
        done.append(f"a RobustBlock {place_name(recipe.position)} ({kind})")
    if recipe.pruning.ratio:
        done.append(f"{100 * recipe.pruning.ratio:g} % of the filters pruned")
    if recipe.epochs:
        attacked = any(isinstance(term, AdversarialTraining) for term in recipe.objective.regularizers)
        photos = "photos, as they are and attacked" if attacked else "photos"
        photos += f", {100 * recipe.degraded:.0f} % of them degraded" if recipe.degraded else ""
        photos += f", {100 * recipe.better_half:.0f} % of the batches good photos alone" if recipe.better_half else ""
        photos += ", by the baseline's scores" if recipe.targets == "baseline" else ""
        done.append(f"{recipe.epochs} epoch{'' if recipe.epochs == 1 else 's'} of fine-tuning on {photos}")
    if recipe.mix < 1.0:
        done.append(f"{100 * (1.0 - recipe.mix):.0f} % of its weights those from before")
    return ", ".join(done) or "nothing"


def under_attack(card: ModelCard) -> str:
    """Return how far an attack moves a hardened model and its baseline, as measured when it was made.

    Args:
        card: of the model, with its figures.
    """
    figures = card.hardening["attacked"]
    after, before = (figures[which]["absolute_gain"] for which in ("hardened", "baseline"))
    unmoved = figures["hardened"]["unmoved_share"]
    doubt = (
        f"; {100 * unmoved:.0f} % of them did not move at all, but may under a stronger attack: see the Audit"
        if unmoved > _UNMOVED
        else ""
    )
    return (
        f"AbsGain {after:.3f}, its baseline {before:.3f} (nearer 0 = more robust); {figures['attack']} on "
        f"{figures['crops']} held-out crops of {figures['side']} px, a first impression{doubt}"
    )


def overview_row(card: ModelCard) -> dict[str, str]:
    """Return a model's row of the table of all models, by its columns.

    Args:
        card: of the model; cells without a measurement are empty.
    """
    people = card.measurements[0] if card.measurements else None
    gains = (
        [card.hardening["attacked"][which]["absolute_gain"] for which in ("hardened", "baseline")]
        if card.hardening
        else []
    )
    return {
        "Model": model_name(card),
        "Version": version_name(card).capitalize(),
        "SROCC": spell_correlation(people.srocc) if people else "",
        "PLCC": spell_correlation(people.plcc) if people else "",
        "AbsGain (before)": "{:.3f} ({:.3f})".format(*gains) if gains else "",
        "Agreement": _agreement(known_agreement(card)),
    }


def _agreement(found: float | None) -> str:
    if found is None:
        return ""
    return f"{found:.3f}" if rates_as_before(found) else f"{found:.3f}, rates photos differently"


def block_text(trial: Trial) -> str:
    """Return a trial's block in a few words, such as `isometric cayley, width 64, grid 8`."""
    block = trial.recipe.block
    if block is None:
        return "none"
    blend = "" if block.blend == 1.0 or block.variant == "paper" else f", blend {block.blend:g}"
    return f"{block.variant} {block.orthogonalization}, width {block.width}, grid {block.grid}{blend}"


def trial_row(trial: Trial, number: int) -> dict[str, str | int | float | None]:
    """Return the figures of a trial by the keys of `COLUMNS`.

    Args:
        trial: the trial.
        number: its place among the trials, from 1.
    """
    return {
        "number": number,
        "position": place_name(trial.recipe.position),
        "block": block_text(trial),
        "pruned": trial.removed,
        "epochs": trial.recipe.epochs,
        "agreement": trial.agreement,
        "mos": trial.mos,
        "gain_before": trial.attacked("baseline"),
        "gain_after": trial.attacked("hardened"),
        "r_before": trial.attacked("baseline", "r_score"),
        "r_after": trial.attacked("hardened", "r_score"),
        "milliseconds": 1000.0 * trial.timing.hardened,
        "spread": trial.spread,
    }


def verdict_of(trial: Trial) -> Verdict:
    """Return the verdict on a trial, by the rule that all pages share."""
    movement = Movement("up", trial.attacked("baseline"), trial.attacked("hardened"))
    return judge(Comparison((movement,), agreement=trial.agreement))


def verdict_sentence(trial: Trial) -> str:
    """Return what a trial found, in a sentence."""
    where = f"the block {place_name(trial.recipe.position)}" if trial.recipe.block else "no block"
    return sentence(verdict_of(trial), name=f"the model with {where}", baseline="the baseline")


def figures_of(trial: Trial, others: list[Trial]) -> HardenedFigures:
    """Return what the diagnosis needs of a trial.

    Args:
        trial: the trial.
        others: of the same architecture; among them controls at the same place may be.
    """
    recipe, block = trial.recipe, trial.recipe.block
    controls = [
        other
        for other in others
        if other.recipe.block is not None
        and other.recipe.block.orthogonalization in CONTROLS
        and (other.recipe.position, other.recipe.pruning) == (recipe.position, recipe.pruning)
    ]
    is_control = block is not None and block.orthogonalization in CONTROLS
    best = None if is_control else min(controls, key=lambda other: abs(other.attacked("hardened")), default=None)
    control = None if best is None or best.recipe.block is None else best.recipe.block.orthogonalization
    return HardenedFigures(
        agreement=trial.agreement,
        mos_before=trial.mos_before,
        mos_after=trial.mos,
        gain_before=trial.attacked("baseline"),
        gain_after=trial.attacked("hardened"),
        transfer_gain=trial.transfer_gain,
        spread=trial.spread,
        variant=None if block is None else block.variant,
        orthogonalization=None if block is None else block.orthogonalization,
        orthogonality_error=trial.orthogonality_error,
        control=control,
        control_gain=None if best is None else best.attacked("hardened"),
        depth=None if recipe.position is None else front_share(recipe.position, trial.card),
        removed=trial.removed,
    )
