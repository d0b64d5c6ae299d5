"""The one runner of all attacks: checks, keeps the best of each image, counts, re-projects, rounds and re-scores."""

import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import Field
from typing import Any, ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from robustiqa_core.attacks.counting import CountingScorer
from robustiqa_core.attacks.objective import Goal, score
from robustiqa_core.attacks.records import AttackResult, AttackStep, Trial
from robustiqa_core.checks import check_images
from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.images.photo import round_to_8bit
from robustiqa_core.scorer import Scorer


class Attack(Protocol):
    """A frozen dataclass whose fields are the configuration, and the mathematics of one attack.

    Everything else (best so far, counting, rounding, checks) is done by `run`, once for all attacks.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def steps(self) -> int:
        """Number of steps; `iterate` yields one trial more."""
        ...

    @property
    def goal(self) -> Goal | None:
        """Where the scores should go; the best trial of each image is kept. None keeps the newest one."""
        ...

    def iterate(self, scorer: Scorer, images: Tensor, /) -> Iterator[Trial]:
        """Yield what is tried: the start, then the point after each step, each with its scores.

        Gradients and scores come only from `objective.score_gradient` and `objective.score`, so that
        they are counted and leave no trace. Images are independent of each other, no tensor's value is read, and
        nothing that was yielded is changed later. If the start is `images` itself (the same object), it is not
        scored again.
        """
        ...

    def project(self, adversarial: Tensor, images: Tensor, /) -> Tensor:
        """Return `adversarial` within the budget round `images` and within [0, 1].

        Points within both come back bit for bit unchanged.
        """
        ...


def run(attack: Attack, scorer: Scorer, images: Tensor) -> Generator[AttackStep | AttackResult, None, None]:
    """Attack a batch of photos; return an iterator over the steps whose last record is the AttackResult.

    No side effects: images, model, parameters, gradients and the global random state stay as they are. The iterator can
    be closed at any step. It works inside `torch.no_grad()` too.

    Args:
        attack: its configuration.
        scorer: the model, in evaluation mode.
        images: (N, 3, H, W), float, RGB in [0, 1]. Each is attacked on its own.

    Raises:
        InputError: at once, if the images are invalid or the model is in training mode; at the first
            step, if the scores do not have the shape (N,) or no gradient.
        NumericalError: after the last step, if any score or gradient was not finite.

    Example:
        >>> from robustiqa_core.attacks import PGD
        >>> photo = torch.full((1, 3, 8, 8), 0.5)
        >>> for record in run(PGD(0.1, step_size=0.05, steps=2), lambda images: images.mean((1, 2, 3)), photo):
        ...     if isinstance(record, AttackStep):
        ...         print(record.step, round(record.best_scores.item(), 4))
        ...     else:
        ...         print("result", round(record.adversarial_scores.item(), 4))
        0 0.5
        1 0.55
        2 0.6
        result 0.6
    """
    check_images(images)
    if isinstance(scorer, nn.Module) and scorer.training:
        raise InputError(
            "expected a model in evaluation mode, where images are scored independently of their batch, got one in "
            "training mode; call its eval() first"
        )
    return _records(attack, CountingScorer(scorer), images.detach().clone())


def complete(attack: Attack, scorer: Scorer, images: Tensor) -> AttackResult:
    """Attack a batch of photos to the end and return the result; see `run`."""
    return cast(AttackResult, deque(run(attack, scorer, images), maxlen=1).pop())


def _records(
    attack: Attack, counting: CountingScorer, images: Tensor
) -> Generator[AttackStep | AttackResult, None, None]:
    # The clock stops while the consumer works on a record.
    seconds, resumed = 0.0, time.perf_counter()
    best, history = images, []
    flow: Tensor | None = None
    for step, trial in enumerate(attack.iterate(counting, images)):
        if step == 0:
            clean_scores = trial.scores if trial.adversarial is images else score(counting, images)
            best_scores = clean_scores
            history.append(clean_scores)
            best_values = _values(attack, counting, best_scores, clean_scores)
        history.append(trial.scores)
        values = _values(attack, counting, trial.scores, clean_scores)
        better = torch.ones_like(values, dtype=torch.bool) if attack.goal is None else values > best_values
        replaced = better.view(-1, 1, 1, 1)
        best = torch.where(replaced, trial.adversarial, best)
        if trial.flow is not None:
            flow = torch.where(replaced, trial.flow, torch.zeros_like(trial.flow) if flow is None else flow)
        best_scores = torch.where(better, trial.scores, best_scores)
        best_values = torch.where(better, values, best_values)
        seconds += time.perf_counter() - resumed
        yield AttackStep(step, attack.steps, best, trial.scores, best_scores, counting.gradient_calls, counting.queries)
        resumed = time.perf_counter()

    adversarial = attack.project(best, images)
    # Within the budget the projection is the identity, to the last bit, and the score is known.
    if not images.is_meta and not torch.equal(adversarial, best):
        best_scores = score(counting, adversarial)
        history.append(best_scores)
    rounded = round_to_8bit(adversarial)
    rounded_scores = score(counting, rounded)
    history.append(rounded_scores)
    _check_finite(torch.stack(history))
    seconds += time.perf_counter() - resumed
    yield AttackResult(
        images=images,
        adversarial=adversarial,
        rounded=rounded,
        clean_scores=clean_scores,
        adversarial_scores=best_scores,
        rounded_scores=rounded_scores,
        gradient_calls=counting.gradient_calls,
        queries=counting.queries,
        seconds=seconds,
        flow=flow,
    )


def _values(attack: Attack, counting: CountingScorer, scores: Tensor, clean_scores: Tensor) -> Tensor:
    """Return what the attack maximises (N,); the scores themselves where it has no goal."""
    return scores if attack.goal is None else attack.goal.value(scores, clean_scores, counting)


def _check_finite(scores: Tensor) -> None:
    """Raise NumericalError if any of the scores (evaluations, N) is not finite; they are not read on `meta`."""
    if scores.is_meta or bool(torch.isfinite(scores).all()):
        return
    wrong = (~torch.isfinite(scores)).any(dim=0).nonzero().flatten().tolist()
    raise NumericalError(
        f"expected finite scores and gradients, got NaN or infinity in the attack on the images with index {wrong}; "
        "look for a division by 0 or a root of 0 in the model, or score the photos in float32"
    )
