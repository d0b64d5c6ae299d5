"""Universal perturbation: one stored pattern for all photos, applied without querying the model."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.calling import CallableAttack
from robustiqa_core.attacks.records import Trial
from robustiqa_core.attacks.universal.cards import check_name
from robustiqa_core.attacks.universal.shelf import load_perturbation, perturbed
from robustiqa_core.checks import check_fraction
from robustiqa_core.scorer import Scorer

DEFAULT_PERTURBATION = "linearity-baseline-plain-up"
"""The one that the repository ships."""


@dataclass(frozen=True, slots=True)
class UAP(CallableAttack):
    """A perturbation that `robustiqa train-uap` stored, scaled to `eps` and repeated over the photo.

    The score may move either way: photos where the pattern fails are kept, since an attacker without access to the
    model would not know. The direction is that of the file's training.

    Args:
        eps: largest change of a pixel value, as a fraction of [0, 1]; the stored values are scaled to it.
        perturbation: name of a stored perturbation, see `universal.list_perturbations`; looked for when the attack
            runs.

    Raises:
        ConfigurationError: `eps` is out of its range, or the name is not valid.

    Source: S.-M. Moosavi-Dezfooli et al., "Universal Adversarial Perturbations", CVPR 2017; see `UniversalTraining`.
    """

    steps: ClassVar[int] = 1
    goal: ClassVar[None] = None

    eps: float = 4 / 255
    _: KW_ONLY
    perturbation: str = DEFAULT_PERTURBATION

    def __post_init__(self) -> None:
        check_fraction("eps", self.eps)
        check_name(self.perturbation)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the photo with the perturbation; see `Attack`.

        Raises:
            ConfigurationError: unknown perturbation; the message lists the known ones.
        """
        values, card = load_perturbation(self.perturbation)
        yield Trial(images, objective.score(scorer, images))
        adversarial = self.project(perturbed(images, values.to(images) * (self.eps / card.eps)), images)
        yield Trial(adversarial, objective.score(scorer, adversarial))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` with no value farther than `eps` from that of `images`, and within [0, 1]."""
        return projections.project(adversarial, images, eps=self.eps, norm="linf")
