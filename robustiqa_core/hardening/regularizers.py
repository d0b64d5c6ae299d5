"""What makes training robust: photos, penalties or another loss beside what a task learns."""

from dataclasses import Field, dataclass
from typing import Any, ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.attacks.mi_fgsm import accumulate
from robustiqa_core.attacks.objective import score_gradient
from robustiqa_core.attacks.projections import project
from robustiqa_core.checks import check_count, check_flag, check_fraction, check_positive
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening.task import MOMENTUM, Climb, TrainingTask, attackable, begin, eval_mode
from robustiqa_core.metrics.fidelity import ssim
from robustiqa_core.models import QualityModel
from robustiqa_core.training.losses import norm_in_norm
from robustiqa_core.training.ranks import gather

# Below this the spread of a batch's scores counts as none.
_NO_SPREAD = 1e-6
# Where the strengths begin to grow. A stronger start teaches a fragile network to give every photo the same score.
_FIRST = 0.1 / 255
# A batch's spread is held to be at least this share of the unit of Huber's loss.
_LEAST_SPREAD = 0.1
# Pairs farther apart than this, in spreads, need no larger margin than these.
_FARTHEST = 2.0
# Margin of a pair in which both photos were attacked, as a share of how far apart they are.
_MARGIN = 0.5


class Regularizer(Protocol):
    """A frozen dataclass: something that is added to the task's loss."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def extend(self, task: TrainingTask, images: Tensor, targets: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return more images and targets, (m, 3, H, W) and (m,), for the task's loss; m may be 0."""
        ...

    def penalty(self, task: TrainingTask, images: Tensor, targets: Tensor, /) -> Tensor:
        """Return what is added to the task's loss, a number."""
        ...


@dataclass(frozen=True, slots=True)
class AdversarialTraining:
    """Adversarial training: each batch is seen clean and attacked, at once.

    The attack is PGD on the score of the network as it is, from a random point of the ball, up or down at random for
    each photo. It is made in eval mode: the network that is attacked is the one that will be used, each photo is
    attacked independently of its batch, and the statistics of normalisations do not see the points on the way. What is
    random comes from torch's default generator, which the training loop seeds at each step.

    Args:
        eps: largest change of a pixel value, as a fraction of 1.
        steps: gradient steps, each of size `step_size`.
        step_size: in the unit of `eps`; None for eps / 2.
        lowered: whether the target of an attacked photo is lowered by (1 - SSIM) of the scale. It is a worse photo
            then, though a person may not see it.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: A. Madry et al., ICLR 2018, section 2 (training on attacked photos); A. Chistyakova et al., "Increasing the
    Robustness of Image Quality Assessment Models Through Adversarial Training", Technologies 12(11), 2024 (lowered
    targets, clean and attacked photos in a batch). Several steps, both directions and the random start are ours: with
    one step up from the photo a network can learn to hide its gradient there.
    """

    eps: float = 6 / 255
    steps: int = 3
    step_size: float | None = None
    lowered: bool = False

    def __post_init__(self) -> None:
        check_fraction("eps", self.eps)
        check_count("steps", self.steps, high=100)
        if self.step_size is not None:
            check_fraction("step_size", self.step_size)
        check_flag("lowered", self.lowered)

    def attack(self, network: QualityModel, images: Tensor) -> Tensor:
        """Return images (N, 3, H, W) within the ball, their scores moved up or down; the network is as before."""
        step_size = self.eps / 2 if self.step_size is None else self.step_size
        signs = torch.where(torch.rand(len(images), device=images.device) < 0.5, -1.0, 1.0).view(-1, 1, 1, 1)
        noise = 2.0 * torch.rand_like(images) - 1.0
        adversarial = project(images + self.eps * noise, images, eps=self.eps, norm="linf")
        with attackable(network):
            for _ in range(self.steps):
                _, gradient = score_gradient(network, adversarial)
                moved = adversarial + step_size * signs * gradient.sign()
                adversarial = project(moved, images, eps=self.eps, norm="linf")
        return adversarial

    def extend(self, task: TrainingTask, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attacked images with their targets."""
        adversarial = self.attack(task.network, images)
        if self.lowered:
            targets = targets - task.span * (1.0 - ssim(images, adversarial)).to(targets)
        return adversarial, targets

    def penalty(self, task: TrainingTask, images: Tensor, targets: Tensor) -> Tensor:
        """Return 0."""
        return targets.new_zeros(())


@dataclass(frozen=True, slots=True)
class AgainstRank:
    """Adversarial training against the rank: the loss is its own, in place of the task's.

    A photo whose target is below the middle of all targets is attacked upwards and any other downwards, since that is
    what turns the order round; a share of them the other way. The attack has momentum, starts near the photo, and goes
    in steps of less than a grey level: a score that bends within such a step hides from longer ones. The loss is the
    sum of four. Of the clean scores norm-in-norm, and Huber's in units of `unit`, which pins the scale. Of the attacked
    scores Huber's, and a hinge on each pair of a poor photo attacked upwards and a good one attacked downwards, both in
    units of the spread of the batch's clean scores: in the scores' own unit a network loses least that gives all photos
    the same score.

    Args:
        eps: largest strength, a change of a pixel value as a fraction of 1. That of each photo is drawn evenly between
            `least` and this.
        least: smallest strength, once they have grown.
        steps: of the attack, where there are no replays.
        replays: how often a batch is shown in a row. With more than one there is no attack of `steps`: each time the
            gradient that moves the weights moves the perturbation by a step as well ("free" adversarial training).
        step_size: longest step; an attack of less than four times this has steps of a quarter of its strength.
        other: share of the photos that are attacked the other way.
        rise: share of the training in which the strengths grow from a tenth of a grey level, epoch by epoch.
        unit: what Huber's loss takes for a large error, as a share of the scale from the worst to the best photo.
        judged: strength of the attack against the rank under which the epochs are compared.
        judged_steps: its steps, of a seventh of `judged`.
        judged_photos: validation photos that it attacks, at most.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: the composition is ours. A. Madry et al., ICLR 2018 (training on attacked photos); A. Shafahi et al.,
    "Adversarial Training for Free!", NeurIPS 2019 (replays); D. Li et al., ACM MM
    2020 (norm-in-norm); Y. Dong et al., CVPR 2018 (momentum).
    """

    eps: float = 4 / 255
    least: float = 1 / 255
    steps: int = 5
    replays: int = 1
    step_size: float = 0.6 / 255
    other: float = 0.15
    rise: float = 0.2
    unit: float = 0.15
    judged: float = 1 / 255
    judged_steps: int = 24
    judged_photos: int = 64

    def __post_init__(self) -> None:
        for name in ("eps", "least", "step_size", "judged"):
            check_fraction(name, getattr(self, name))
        if self.least > self.eps:
            raise ConfigurationError(
                f"least is the smallest strength and must be at most eps ({self.eps:g}), got {self.least:g}; lower it"
            )
        for name in ("other", "rise"):
            check_fraction(name, getattr(self, name), zero=True)
        check_positive("unit", self.unit)
        check_count("steps", self.steps, high=100)
        check_count("replays", self.replays, high=100)
        check_count("judged_steps", self.judged_steps, high=1000)
        check_count("judged_photos", self.judged_photos, low=4)

    def directions(self, targets: Tensor, middle: float) -> Tensor:
        """Return where photos with these targets (N,) are attacked, (N,): 1 up, -1 down; torch's generator draws."""
        against = torch.where(targets < middle, 1.0, -1.0)
        return torch.where(torch.rand(len(targets), device=targets.device) < self.other, -against, against)

    def strengths(self, count: int, progress: float, device: torch.device) -> Tensor:
        """Return the strengths (count,) of attacks; torch's generator draws.

        Args:
            count: of photos.
            progress: finished share of the training, in [0, 1].
            device: where they go.
        """
        grown = 1.0 if progress >= self.rise else progress / self.rise
        low, high = (_FIRST + grown * (end - _FIRST) for end in (self.least, self.eps))
        return low + (high - low) * torch.rand(count, device=device)

    def attack(self, network: QualityModel, images: Tensor, directions: Tensor, eps: Tensor) -> Tensor:
        """Return images (N, 3, H, W) within their balls, their scores moved as `directions` say.

        The network is as before. What is random, the start, comes from torch's default generator.

        Args:
            network: attacked in eval mode.
            images: (N, 3, H, W).
            directions: (N,), 1 or -1.
            eps: (N,), the strength for each.
        """
        return self._climbed(network, begin(images, directions, eps, self.step_size))

    def _start(self, task: TrainingTask, images: Tensor, targets: Tensor) -> Climb:
        directions = self.directions(targets, task.middle)
        eps = self.strengths(len(images), task.progress, images.device)
        return begin(images, directions, eps, self.step_size)

    def _climbed(self, network: QualityModel, climb: Climb) -> Tensor:
        with attackable(network):
            for _ in range(self.steps):
                climb.step(score_gradient(network, climb.adversarial)[1])
        return climb.adversarial

    def extend(self, task: TrainingTask, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attacked images with their targets."""
        return self._climbed(task.network, self._start(task, images, targets)), targets

    def penalty(self, task: TrainingTask, images: Tensor, targets: Tensor) -> Tensor:
        """Return 0: `loss` is all."""
        return targets.new_zeros(())

    def loss(self, task: TrainingTask, images: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch, in place of the task's.

        Args:
            task: what is learnt.
            images: (N, 3, H, W), float, RGB in [0, 1].
            targets: (N,), in the unit that the task is learnt in.
        """
        if self.replays == 1:
            climb = self._start(task, images, targets)
            adversarial = self._climbed(task.network, climb)
        else:
            climb = task.replay.next(lambda: self._start(task, images, targets), self.replays)
            adversarial = climb.adversarial.requires_grad_()
        raw = task.network(torch.cat((images, adversarial)))
        if self.replays > 1:
            task.replay.watch(adversarial, raw)
        clean, attacked = map(gather, task.in_targets_unit(raw).chunk(2))
        wanted, signs = gather(targets), gather(climb.directions)
        unit, middle = self.unit * task.span, wanted.mean()
        least = _LEAST_SPREAD * unit
        spread = wanted.std().clamp_min(least)
        moved = (attacked - clean.mean()) / clean.std().clamp_min(least)
        aims = (wanted - middle) / spread
        return (
            F.smooth_l1_loss(clean / unit, wanted / unit)
            + norm_in_norm(clean[:, None], wanted)[0]
            + F.smooth_l1_loss(moved, aims)
            + order_hinge(moved, aims, signs, ((task.middle - middle) / spread).item())
        )

    def worst_scores(self, network: QualityModel, images: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Return clean scores (N,) and those of the strongest point of the attack that judges, in many small steps.

        Args:
            network: in eval mode, its weights frozen.
            images: (N, 3, H, W).
            directions: (N,), 1 or -1.
        """
        signs, step = directions.view(-1, 1, 1, 1), self.judged / 7
        adversarial, momentum = images, torch.zeros_like(images)
        history = []
        for _ in range(self.judged_steps):
            scores, gradient = score_gradient(network, adversarial)
            history.append(scores)
            momentum = accumulate(momentum, gradient, decay=MOMENTUM)
            moved = adversarial + step * signs * momentum.sign()
            adversarial = project(moved, images, eps=self.judged, norm="linf")
        with torch.no_grad():
            history.append(network(adversarial))
        return history[0], directions * (directions * torch.stack(history)).amax(0)


def order_hinge(attacked: Tensor, targets: Tensor, directions: Tensor, middle: float) -> Tensor:
    """Return the mean hinge on pairs of a poor photo that was attacked up and a good one that was attacked down.

    max(0, m - (a_good - a_poor)), with the margin m half of how far apart their targets are, or 1 where that is less.
    0 where a batch has no such pair.

    Args:
        attacked: (N,), scores after the attack, in spreads.
        targets: (N,), in the same.
        directions: (N,), 1 where a photo was attacked up, -1 down.
        middle: of all targets; a photo below it is a poor one.

    Example:
        >>> targets, directions = torch.tensor([0.0, 4.0]), torch.tensor([1.0, -1.0])
        >>> [order_hinge(torch.tensor([a, b]), targets, directions, 2.0).item() for a, b in ((1.0, 2.5), (3.0, 2.0))]
        [0.0, 2.0]
    """
    poor, good = (targets < middle) & (directions > 0), (targets >= middle) & (directions < 0)
    gaps = attacked[good][None, :] - attacked[poor][:, None]
    if not gaps.numel():
        return attacked.sum() * 0.0
    margins = _MARGIN * (targets[good][None, :] - targets[poor][:, None]).clamp(max=_FARTHEST)
    return F.relu(margins - gaps).mean()


@dataclass(frozen=True, slots=True)
class GradientNorm:
    """NT: a penalty on the slope of the score along the sign of its gradient, which is the gradient's l_1 norm.

    weight / 2 * mean of ((s(x + probe * sign(grad s(x))) - s(x)) / probe)^2, with the score s on a scale from 0 to 1 in
    units of what the network learns. s is divided by its spread over the batch and multiplied by that of the targets:
    else a network whose loss does not care about scale (norm-in-norm) would escape by narrowing its scores.

    Args:
        probe: step of the finite difference, as a fraction of 1 (h in the paper).
        weight: of the penalty (lambda in the paper).

    Raises:
        ConfigurationError: a value is out of its range.

    Source: Y. Liu, C. Yang, D. Li, J. Ding, T. Jiang, "Defense Against Adversarial Attacks on No-Reference Image
    Quality Models with Gradient Norm Regularization", CVPR 2024: an attack within eps moves a score by about eps times
    the gradient's l_1 norm. The division by the spread is ours; the paper's lambda is for the losses there.
    """

    probe: float = 0.01
    weight: float = 1e-3

    def __post_init__(self) -> None:
        check_fraction("probe", self.probe)
        check_positive("weight", self.weight)

    def extend(self, task: TrainingTask, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return nothing more to see."""
        return images[:0], targets[:0]

    def penalty(self, task: TrainingTask, images: Tensor, targets: Tensor) -> Tensor:
        """Return the penalty on clean images (N, 3, H, W)."""
        with attackable(task.network):
            _, gradient = score_gradient(task.network, images)
        # Models refuse values beyond [0, 1]: where a photo is black or white the slope is that of half as far or less.
        probed = (images + self.probe * gradient.sign()).clamp(0.0, 1.0)
        # In eval mode: else what dropout draws for each would count as slope.
        with eval_mode(task.network):
            clean, moved = map(gather, task.network(torch.cat((images, probed))).chunk(2))
        unit = gather(targets).std() / task.span / clean.std().clamp_min(_NO_SPREAD)
        slopes = unit * (moved - clean) / self.probe
        return 0.5 * self.weight * slopes.square().mean()
