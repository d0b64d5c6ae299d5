"""What an attack tries, what is reported while it runs, and what it leaves behind."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Trial:
    """What an attack itself yields: the images that it tries at one step.

    Args:
        adversarial: (N, 3, H, W), within the budget and [0, 1].
        scores: (N,), scores of `adversarial`, detached.
        flow: (N, 2, H, W), by how many pixels, x before y, each pixel was moved; None where pixels stay in place.
    """

    adversarial: Tensor
    scores: Tensor
    flow: Tensor | None = None


@dataclass(frozen=True, slots=True)
class AttackStep:
    """The state after one step of an attack on a batch of N images.

    Args:
        step: number of finished steps, from 0 (the start) to `steps`.
        steps: number of steps that the attack will take.
        adversarial: (N, 3, H, W), the best image so far of each, within its budget; the photo itself as long as
            nothing was better. (For the noise null: the newest.)
        scores: (N,), scores of the images of this step, not of the best.
        best_scores: (N,), scores of `adversarial`.
        gradient_calls: gradients of the scorer computed so far (per image).
        queries: evaluations of the scorer without gradient so far (per image).
    """

    step: int
    steps: int
    adversarial: Tensor
    scores: Tensor
    best_scores: Tensor
    gradient_calls: int
    queries: int


@dataclass(frozen=True, slots=True)
class AttackResult:
    """The outcome of an attack on a batch of N images; every tensor is detached and on the images' device.

    Args:
        images: (N, 3, H, W), the clean images.
        adversarial: (N, 3, H, W), the best image found for each, in [0, 1] and within its budget; the photo itself if
            nothing was better. (For the noise null: the photo with noise.)
        rounded: (N, 3, H, W), `adversarial` on the grid of 8-bit values, as a PNG stores it.
        clean_scores: (N,), scores of `images`.
        adversarial_scores: (N,), scores of `adversarial`.
        rounded_scores: (N,), scores of `rounded`: what a downloaded file gets.
        gradient_calls: gradients of the scorer computed, per image.
        queries: evaluations of the scorer without gradient, per image.
        seconds: wall time of the attack, without what the consumer did between the records.
        flow: (N, 2, H, W), by how many pixels, x before y, each pixel of `adversarial` was moved, 0 where the photo
            was kept; None of an attack that leaves pixels in place.
    """

    images: Tensor
    adversarial: Tensor
    rounded: Tensor
    clean_scores: Tensor
    adversarial_scores: Tensor
    rounded_scores: Tensor
    gradient_calls: int
    queries: int
    seconds: float
    flow: Tensor | None = None
