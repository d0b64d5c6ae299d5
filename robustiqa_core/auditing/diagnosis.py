"""Known failures of hardened models: figures in, sentences out. Knows nothing of Streamlit."""

from dataclasses import dataclass

from robustiqa_core.blocks import ORTHOGONALIZATIONS
from robustiqa_core.verdict import LEAST_AGREEMENT, LEAST_CHANGE, LEAST_MOVED

MOST_LOST = 1.0 - LEAST_AGREEMENT
"""Loss of rank correlation from which a model no longer rates photos as before."""
LEAST_GAINED = LEAST_CHANGE
"""Relative change of the baseline's AbsGain from which the gain counts as changed."""
LEAST_SPREAD = 0.7
"""Spread of the scores, as a share of the baseline's, below which they count as compressed."""
MOST_ERROR = 2e-3
"""Deviation of a singular value from 1 that rounding explains; the self-check has the same limit."""
MOST_BEYOND = 1.1
"""Factor by which a transferred attack may do better than one on the model itself."""
_SMALLEST_GAIN = LEAST_MOVED
"""AbsGain below which an attack did too little to compare."""
_MIDDLE = 0.5
_MUCH_PRUNED, _LEAST_PRUNED = 0.2, 0.01
"""Share of the filters that counts as a cause beside a block, and where nothing else was changed."""


@dataclass(frozen=True, slots=True)
class HardenedFigures:
    """The known figures of a hardened model; None if unknown.

    Args:
        agreement: SROCC with the baseline's scores of the same photos.
        mos_before: SROCC of the baseline with human scores.
        mos_after: likewise of the hardened model.
        gain_before: AbsGain of the baseline, each model by its own range and attacked as a white box.
        gain_after: likewise of the hardened model.
        transfer_gain: AbsGain of the hardened model under perturbations that were made for the baseline.
        spread: of the scores before any stretching, as a share of the baseline's.
        variant: of the block.
        orthogonalization: of the block.
        orthogonality_error: largest |singular value - 1| of its convolution.
        control: name of a control that was tried at the same place.
        control_gain: AbsGain of that.
        depth: of the block, from 0 for the input to 1 for the score.
        removed: share of the filters that were pruned.
        has_block: whether it has a block; without one only pruning and tuning changed it.
    """

    agreement: float | None = None
    mos_before: float | None = None
    mos_after: float | None = None
    gain_before: float | None = None
    gain_after: float | None = None
    transfer_gain: float | None = None
    spread: float | None = None
    variant: str | None = None
    orthogonalization: str | None = None
    orthogonality_error: float | None = None
    control: str | None = None
    control_gain: float | None = None
    depth: float | None = None
    removed: float = 0.0
    has_block: bool = True


@dataclass(frozen=True, slots=True)
class Symptom:
    """A known failure.

    Args:
        what: the symptom, with its figures.
        cause: the likely cause.
        advice: what to try.
    """

    what: str
    cause: str
    advice: str


def diagnose(figures: HardenedFigures) -> tuple[Symptom, ...]:
    """Return the known failures that the figures show, the most serious first; empty if there are none."""
    rules = (_order_lost, _gain_unchanged, _control_as_good, _not_orthogonal, _hidden_gradient, _squeezed)
    return tuple(symptom for rule in rules if (symptom := rule(figures)) is not None)


def diagnose_memory(*, kernel_bytes: int | None, build_bytes: int | None) -> Symptom:
    """Return what to do where a run took too much memory.

    Args:
        kernel_bytes: of the block's kernel, from the preview; None without a block.
        build_bytes: at the peak of building it.
    """
    cause = "Maps, gradients and the batch take more than the device has."
    if kernel_bytes is not None and build_bytes is not None:
        cause += f" The block's kernel alone takes {_mebibytes(kernel_bytes)}, and {_mebibytes(build_bytes)} to build."
    return Symptom(
        "The device ran out of memory.",
        cause,
        "Choose a smaller width or grid, fewer crops, or a deeper place, whose maps are smaller.",
    )


def _order_lost(figures: HardenedFigures) -> Symptom | None:
    if figures.mos_before is not None and figures.mos_after is not None:
        lost, what = figures.mos_before - figures.mos_after, "SROCC with people fell from {:.3f} to {:.3f}"
        seen = what.format(figures.mos_before, figures.mos_after)
    elif figures.agreement is not None:
        lost, seen = (
            1.0 - figures.agreement,
            f"The order of the photos agrees with the baseline by {figures.agreement:.3f} only",
        )
    else:
        return None
    if lost <= MOST_LOST:
        return None
    causes, advice = [], []
    if figures.depth is not None and figures.depth < _MIDDLE:
        causes.append("the block is early, which changes the input of everything after it")
        advice.append("a deeper place")
    if figures.removed >= (_MUCH_PRUNED if figures.has_block else _LEAST_PRUNED):
        causes.append(f"{100 * figures.removed:.0f} % of the filters were pruned")
        advice.append("a smaller pruning ratio")
    causes = causes or ["fine-tuning was too short for the change"]
    other = figures.has_block and figures.variant != "isometric"
    last = ", or the variant isometric, which starts as the identity" if other else ""
    return Symptom(
        f"{seen} (a loss of more than {MOST_LOST:g}).",
        f"Likely because {' and '.join(causes)}.",
        f"Try {', '.join([*advice, 'more epochs and crops'])}{last}.",
    )


def _gain_unchanged(figures: HardenedFigures) -> Symptom | None:
    before, after = figures.gain_before, figures.gain_after
    if before is None or after is None or abs(before) < _SMALLEST_GAIN:
        return None
    if abs(after) <= (1.0 - LEAST_GAINED) * abs(before):
        return None
    if abs(after) >= abs(before):
        word = "grew" if abs(after) > (1.0 + LEAST_GAINED) * abs(before) else "got no better"
    else:
        word = "hardly fell"
    return Symptom(
        f"The attack's gain {word} (AbsGain {before:+.3f} to {after:+.3f}).",
        "An orthogonal block keeps the length of a perturbation; by itself it removes nothing.",
        "Try a blend below 1, a place where the measured amplification is high, more pruning, or more epochs. On the "
        "command line, the objective at trains on attacked photos.",
    )


def _control_as_good(figures: HardenedFigures) -> Symptom | None:
    if figures.control is None or figures.control_gain is None or figures.gain_after is None:
        return None
    if figures.gain_before is None or abs(figures.gain_after) < abs(figures.control_gain) - 0.1 * abs(
        figures.gain_before
    ):
        return None
    return Symptom(
        f"The control {figures.control} does as well here: AbsGain {figures.control_gain:+.3f}, with the block "
        f"{figures.gain_after:+.3f}.",
        "What changed comes from the tuning or the pooling, not from the constraint on the block.",
        "Do not count this as a gain of the block. Try another place or a larger width, and both again.",
    )


def _not_orthogonal(figures: HardenedFigures) -> Symptom | None:
    name, error = figures.orthogonalization, figures.orthogonality_error
    if name is None or error is None or error <= MOST_ERROR or ORTHOGONALIZATIONS[name].guarantee != "orthogonal":
        return None
    return Symptom(
        f"The block is not orthogonal: a singular value differs from 1 by {error:.1e} (limit {MOST_ERROR:g}).",
        "The kernel was computed wrongly on this machine, or with too low precision.",
        "Run `robustiqa selfcheck` on the server. Set OMP_NUM_THREADS before the start, and switch off TF32.",
    )


def _hidden_gradient(figures: HardenedFigures) -> Symptom | None:
    own, transferred = figures.gain_after, figures.transfer_gain
    if own is None or transferred is None or abs(transferred) < _SMALLEST_GAIN:
        return None
    if abs(transferred) <= MOST_BEYOND * abs(own):
        return None
    return Symptom(
        f"The attack on the model itself is weaker than one made for the baseline: AbsGain {own:+.3f} against "
        f"{transferred:+.3f}.",
        "The gradient is hidden, so the attack fails to find a direction. That is not robustness.",
        "Look at the page Audit, and attack with more steps or as a black box before you believe the gain.",
    )


def _squeezed(figures: HardenedFigures) -> Symptom | None:
    if figures.spread is None or figures.spread >= LEAST_SPREAD:
        return None
    return Symptom(
        f"The scores came out squeezed together: {figures.spread:.2f} of the baseline's spread.",
        "A model that gives every photo nearly the same score looks robust. Here the scores were rescaled, and the "
        "gains with them.",
        "Judge by the scale of each model's own. Try more epochs, or a smaller "
        f"{'contraction' if figures.has_block else 'pruning ratio'}.",
    )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
