"""What can be added to a task's loss for robustness, and the training task that it is added to."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from robustiqa_core.attacks.objective import score_gradient
from robustiqa_core.attacks.projections import project
from robustiqa_core.blocks import folded_blocks
from robustiqa_core.checks import check_count, check_flag, check_fraction, check_positive
from robustiqa_core.hardening.climbing import Replay
from robustiqa_core.metrics.fidelity import ssim
from robustiqa_core.models import QualityModel
from robustiqa_core.training.ranks import gather

_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTask:
    """What a network learns before any term is added.

    Args:
        network: what learns.
        loss: of images (n, 3, H, W) and targets (n,): the task's own, of the whole batch of all processes.
        span: how far apart the targets of the worst and the best photo of the scale are.
        middle: median of the targets.
        factor: the network's scores times this, plus `shift`, are in the unit of the targets.
        shift: see `factor`.
        progress: finished share of the training, in [0, 1].
        replay: what is left of a batch that is shown several times in a row.
    """

    network: QualityModel
    loss: Callable[[Tensor, Tensor], Tensor]
    span: float = 1.0
    middle: float = 0.5
    factor: float = 1.0
    shift: float = 0.0
    progress: float = 0.0
    replay: Replay = field(default_factory=Replay)

    def in_targets_unit(self, scores: Tensor) -> Tensor:
        """Return scores (N,) of the network in the unit of the targets, float32."""
        return self.factor * scores.float() + self.shift


class Term(Protocol):
    """A frozen dataclass: something that is added to the task's loss."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def extend(self, task: TrainingTask, images: Tensor, targets: Tensor, /) -> tuple[Tensor, Tensor]:
        """Return more images and targets, (m, 3, H, W) and (m,), for the task's loss; m may be 0."""
        ...

    def penalty(self, task: TrainingTask, images: Tensor, targets: Tensor, /) -> Tensor:
        """Return what is added to the task's loss, a number."""
        ...


@contextlib.contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Set eval mode within the `with` block; each module's mode is as before at its end."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextlib.contextmanager
def attackable(network: nn.Module) -> Iterator[None]:
    """Set eval mode and freeze the weights within the `with` block; all is as before at its end."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.requires_grad_(False)
    try:
        with eval_mode(network), folded_blocks(network):
            yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


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
        unit = gather(targets).std() / task.span / clean.std().clamp_min(_LEAST_SPREAD)
        slopes = unit * (moved - clean) / self.probe
        return 0.5 * self.weight * slopes.square().mean()
