"""The checks of an audit, in the order in which they run, with what a person reads about each."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from robustiqa_core.attacks import APGD, ATTACKS, Attack
from robustiqa_core.auditing import consistency, gradients, scale, soundness, strength
from robustiqa_core.auditing.evidence import BLACK_BOXES, Evidence
from robustiqa_core.auditing.records import Measured, Work

Need = Literal["gradient", "attack", "ball", "steps", "black box", "reference"]

NEEDS: dict[Need, tuple[Callable[[Evidence], bool], str, str]] = {
    "gradient": (
        lambda evidence: evidence.has_gradient,
        "The scores have no gradient.",
        "Give the model a gradient; the check of that name says more.",
    ),
    "attack": (
        lambda evidence: evidence.can_attack,
        "The scores have no gradient, and the attack in use needs one.",
        "Give the model a gradient, or audit it with square.",
    ),
    "ball": (
        lambda evidence: evidence.in_ball,
        "The attack in use has no budget in l_inf or l_2.",
        "Audit the model with pgd or apgd as well.",
    ),
    "steps": (
        lambda evidence: any(field.name == "steps" for field in dataclasses.fields(evidence.plan.attack)),
        "The attack in use has no number of steps to change.",
        "Audit the model with pgd or apgd as well.",
    ),
    "black box": (
        lambda _: any(name in ATTACKS for name in BLACK_BOXES),
        "There is no black-box attack here.",
        "Add one to ATTACKS.",
    ),
    "reference": (
        lambda evidence: evidence.reference is not None,
        "There is no model to compare with.",
        "Name the baseline as the reference.",
    ),
}
"""What a check may need: how to know, why it does not run without, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Args:
        question: what it asks, in plain words.
        passed: what a pass means.
        doubted: what a doubt means.
        advice: what to do about a doubt; `{stronger}` stands for what is stronger than the attack in use, `{blind}` for
            an attack without gradients. See `advice`.
        measure: measures, from what the checks share.
        needs: without which it does not run.
    """

    question: str
    passed: str
    doubted: str
    advice: str
    measure: Callable[[Evidence], Work[Measured]]
    needs: tuple[Need, ...] = ()


CHECKS: dict[str, Check] = {
    "gradient": Check(
        "Do the scores have a gradient that an attack can follow?",
        "Gradients are there, finite and not flat.",
        "The gradient is missing, not finite or nearly everywhere 0: gradient attacks stand still, which looks like "
        "robustness and is none.",
        "Look for detach(), no_grad(), rounding, or a saturated function such as tanh in the model. Until it is "
        "mended, believe attacks without gradients alone: {blind}.",
        gradients.presence,
    ),
    "finite differences": Check(
        "Is the gradient right?",
        "The slope that the gradient promises is the slope that is measured.",
        "The gradient is not that of the score. Attacks climb another hill, and their results understate fragility.",
        "Look for a part of the model that is detached, rounded, random, or differentiated by a stand-in. A stand-in "
        "that is meant is declared with gradient_is_stand_in, and judged by whether it leads uphill.",
        gradients.finite_differences,
        ("gradient",),
    ),
    "reach": Check(
        "Does the gradient tell what a small visible step does?",
        "A step of a quarter of a grey level does a fair part of what the slope promises.",
        "The slope holds for steps that no photo can make: the gradient is shattered, and following it is guesswork.",
        "Look for steep or rapidly waving functions, roots near 0, and noise in the model. Attack with averaged "
        "gradients, or without any: {blind}.",
        gradients.reach,
        ("gradient",),
    ),
    "repeat": Check(
        "Is the score the same on a second call?",
        "The same photo has the same score.",
        "The model is random. One draw per attack step fools the attack, not the attacker.",
        "Fix the random numbers, or attack the mean over many draws.",
        consistency.repeats,
    ),
    "batch": Check(
        "Does a photo's score depend on the photos beside it?",
        "A photo scores the same alone and in a batch.",
        "Scores depend on the batch, as where a normalisation runs in training mode: an attack on a batch "
        "does not hold for the photo alone.",
        "Put the model into evaluation mode; replace statistics over the batch.",
        consistency.batches,
    ),
    "same path": Check(
        "Is what is attacked the same function that is scored?",
        "Scores with and without a gradient are the same.",
        "With a gradient the photo takes another way through the model (another normalisation, rounding or size): "
        "what fools the one need not fool the other.",
        "Make preprocessing the same in both cases, inside the scorer.",
        consistency.same_path,
        ("gradient",),
    ),
    "resolution": Check(
        "Are scores finely graded?",
        "Tiny changes of a photo change its score.",
        "Scores move in jumps: between them every gradient is 0 or invented.",
        "Remove rounding from the scorer; score in float32.",
        consistency.resolution,
    ),
    "score range": Check(
        "Do clean photos score within the stated range, and use it?",
        "Scores lie in the stated range and spread over it.",
        "The stated range is not that of the scores: gains as a share of it mislead. Scores that hardly differ also "
        "come from photos that arrive in another range of values than the model expects.",
        "Measure the range on clean photos of the training set; check that the model is given values in [0, 1].",
        scale.score_range,
    ),
    "degradations": Check(
        "Does the model punish blur, noise, JPEG and lost contrast?",
        "Degraded photos score less than their originals, as they do with people.",
        "The model does not order obvious cases: it is broken, it normalises photos differently from its training, or "
        "it traded its judgement for robustness.",
        "Check mean, deviation, channel order and size of the input against the training's.",
        scale.degradations,
    ),
    "canary": Check(
        "Does the attack break what is known to break?",
        "On a linear scorer the attack reaches the known optimum.",
        "The attack misses an optimum that can be computed by hand: it is weak wherever it is used.",
        "To judge robustness, use {stronger}.",
        soundness.canary,
        ("ball",),
    ),
    "best point": Check(
        "Is the best point on the attack's path what is returned?",
        "Nothing that was tried is better than the result.",
        "The attack lost a better image on its way, or the scores do not repeat.",
        "If the check of repetition passes, mend the attack's book-keeping.",
        soundness.best_returned,
        ("attack",),
    ),
    "budget": Check(
        "Does the image keep to the budget, in 8 bits as well?",
        "The change is within the budget, before and after rounding.",
        "The image is changed by more than was allowed: its gain is not that of the stated strength.",
        "Project after every step, the last one too.",
        soundness.budget,
        ("attack",),
    ),
    "order": Check(
        "Do one step and several steps gain more than noise, and the attack no less than they do?",
        "Noise, the best single step, ten steps and the attack are in the right order.",
        "Following the gradient gains hardly more than guessing, or the attack less than a few plain steps: the "
        "gradient is hidden, or the attack is faulty.",
        "Look at the checks of the gradient; try a random start, averaged gradients, or {stronger}.",
        strength.order,
        ("gradient", "ball"),
    ),
    "larger budget": Check(
        "Does a larger budget gain more?",
        "The gain does not fall as the budget grows.",
        "A larger budget contains the smaller one and can only gain more: the attack loses its way, as it does where "
        "gradients are hidden.",
        "Use {stronger}; an attack without gradients gives a second opinion: {blind}.",
        strength.grows_with_eps,
        ("attack", "ball"),
    ),
    "more steps": Check(
        "Do more steps gain more?",
        "The gain does not fall as steps are added.",
        "More steps find less: the attack jumps about, as it does where gradients are hidden.",
        "Use {stronger}; look at the checks of the gradient.",
        strength.grows_with_steps,
        ("attack", "steps"),
    ),
    "twice the steps": Check(
        "Has the attack found all there is?",
        "Twice the steps change the gain by less than 5 %.",
        "The attack stops before its end: the model is more fragile than the figure says.",
        "Use {stronger}, and give the number of steps with every figure.",
        strength.converged,
        ("attack", "steps"),
    ),
    "no bounds": Check(
        "Does an attack without bounds reach the end of the scale?",
        "With every change allowed, scores go where the attack wants them.",
        "Not even a free choice of the picture moves the score to the end: the gradient leads nowhere, or the scores "
        "cannot reach the stated range.",
        "Look at the checks of the gradient and of the score range.",
        strength.unbounded,
        ("gradient",),
    ),
    "black box": Check(
        "Does an attack that sees only scores do no better?",
        "Knowing the gradient helps.",
        "An attack that knows less gets farther: the gradient is hidden, and gradient attacks understate fragility.",
        "Report the black-box figure; mend what hides the gradient.",
        strength.black_box,
        ("ball", "black box"),
    ),
    "transfer": Check(
        "Do images made on the reference do no better than those made on the model?",
        "The model's own gradient finds more than another model's does.",
        "Images made on another model get farther: the model's own gradient is hidden.",
        "Report the transferred figure as well; mend what hides the gradient.",
        strength.transfer,
        ("attack", "reference"),
    ),
    "squeezed scores": Check(
        "Does the gain shrink in the model's own scale, too?",
        "The gain is not smaller merely because all scores are squeezed together.",
        "Scores are squeezed together and move as far as before within their own spread: in the reference's scale "
        "that looks like robustness and is none.",
        "Report gains in each model's own range, beside the ratio of the ranges.",
        scale.contraction,
        ("attack", "reference"),
    ),
    "worst case": Check(
        "Is the attack the worst case of each photo?",
        "No other attack that was tried adds more than 5 %.",
        "Other attacks are worse on some photos: the mean of one attack understates what can happen.",
        "Report the worst of several attacks for each photo.",
        strength.worst_case,
        ("gradient", "ball"),
    ),
}


def advice(check: Check, attack: Attack) -> str:
    """Return what to do about a doubt, as it fits the attack in use.

    Args:
        check: that is in doubt.
        attack: the one in use.
    """
    blind = next((name for name in BLACK_BOXES if type(attack) is ATTACKS.get(name)), None)
    if blind is not None:
        stronger = f"more queries than {attack.steps}, or an attack that follows gradients, such as apgd"
    elif isinstance(attack, APGD):
        stronger = f"more steps than {attack.steps}, and the worst of several attacks for each photo"
    else:
        stronger = "apgd, or more and smaller steps"
    return check.advice.format(stronger=stronger, blind="square" if blind is None else f"{blind}, as it is done here")
