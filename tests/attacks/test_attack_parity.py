"""Our PGD against those of torchattacks and foolbox: the same model, settings and photos, no random start.

Both attack classifiers. A scorer becomes one with the logits [0, score]: the cross-entropy of class 0 is
log(1 + exp(score)), which grows with the score, so that moving away from class 0 raises the score, and away from
class 1 lowers it. Its gradient is that of the score times a positive number for each image, which neither the sign
nor the l2 normalisation lets through. float64 keeps rounding from turning signs.

Theirs return the last iterate, ours the best; so the last trial of ours is compared.
"""

import warnings
from collections.abc import Callable

import pytest
import torch
from attack_scorers import SmallNet, photos
from torch import Tensor, nn

from robustiqa_core.attacks import DIRECTIONS, NORMS, PGD, Norm

EPS, STEP_SIZE, STEPS = 8 / 255, 2 / 255, 7
Run = Callable[[nn.Module, Tensor, Tensor, Norm, float], Tensor]


class TwoClasses(nn.Module):
    """A classifier with the logits [0, score]."""

    def __init__(self, scorer: nn.Module) -> None:
        super().__init__()
        self.scorer = scorer
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        scores = self.scorer(images)
        return torch.stack((torch.zeros_like(scores), scores), dim=1)


def torchattacks_pgd(model: nn.Module, images: Tensor, labels: Tensor, norm: Norm, unit: float) -> Tensor:
    """Return the adversarial images of torchattacks; `unit` is the length of a perturbation of size 1."""
    with warnings.catch_warnings():
        # Old syntax in its dependencies, which is none of our business.
        warnings.simplefilter("ignore")
        torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    kind = torchattacks.PGD if norm == "linf" else torchattacks.PGDL2
    return kind(model, eps=EPS * unit, alpha=STEP_SIZE * unit, steps=STEPS, random_start=False)(images, labels)


def foolbox_pgd(model: nn.Module, images: Tensor, labels: Tensor, norm: Norm, unit: float) -> Tensor:
    """Return the adversarial images of foolbox; `unit` is the length of a perturbation of size 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        foolbox = pytest.importorskip("foolbox", reason="foolbox is not installed")
    kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
    attack = kind(abs_stepsize=STEP_SIZE * unit, steps=STEPS, random_start=False)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    _, clipped, _ = attack(wrapped, images, labels, epsilons=EPS * unit)
    return clipped


@pytest.mark.parametrize("theirs", [torchattacks_pgd, foolbox_pgd])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_pgd_goes_where_other_implementations_go(theirs: Run, norm: Norm, direction: str) -> None:
    scorer, images = SmallNet(dtype=torch.float64), photos().double()
    labels = torch.full((len(images),), 0 if direction == "up" else 1)
    unit = 1.0 if norm == "linf" else images[0].numel() ** 0.5
    expected = theirs(TwoClasses(scorer), images, labels, norm, unit)
    attack = PGD(EPS, step_size=STEP_SIZE, steps=STEPS, norm=norm, direction=direction, random_start=False)
    *_, last = attack.iterate(scorer, images)
    assert (expected - images).abs().amax() > 0.02, "the attack went somewhere"
    torch.testing.assert_close(last.adversarial, expected.detach(), rtol=0, atol=1e-5)
