"""The job that measures how a model's stages amplify a change, once for each model. Knows nothing of Streamlit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from robustiqa_core.attacks import AttackStep, run
from robustiqa_core.hardening import SHORT_ATTACK
from robustiqa_core.scorer import Scorer
from robustiqa_core.spectra import NOISE, PointSummary, follow_change, summarise
from robustiqa_core.spectra.probes import measuring_points

PHOTO = "mountain_path"
"""The sample that the change is made for."""
SIDE = 256
"""Pixels of its longer side."""
ATTACK_KIND, NOISE_KIND = "pgd", NOISE


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """How far the measurement is, as a share of its work."""

    share: float


@dataclass(frozen=True, slots=True, eq=False)
class ProbeOutcome:
    """The last record.

    Args:
        model: stem of the model.
        points: what was measured at each place, by its name.
    """

    model: str
    points: dict[str, PointSummary]

    def relative(self, place: str, kind: str = ATTACK_KIND) -> float | None:
        """Return by how much the share of a change in the signal has grown from the photo to a place."""
        found = self.points.get(place)
        return None if found is None else found.relative[kind].mean

    def stage(self, place: str, kind: str = ATTACK_KIND) -> float | None:
        """Return the length of a change behind the stage at a place over that in front of it."""
        found = self.points.get(place)
        return None if found is None or kind not in found.stage else found.stage[kind].mean


def probe_records(model: str, scorer: Scorer, images: Tensor) -> Iterator[ProbeStep | ProbeOutcome]:
    """Yield the steps of a measurement, and what was measured.

    Args:
        model: stem of the model.
        scorer: the same, a network.
        images: (1, 3, H, W), on its device.
    """
    network = cast(nn.Module, scorer)
    adversarial = images
    for record in run(SHORT_ATTACK, scorer, images):
        if isinstance(record, AttackStep):
            yield ProbeStep(0.7 * record.step / record.steps)
        else:
            adversarial = record.adversarial
    growths = []
    places = measuring_points(network)
    for growth in follow_change(network, images, adversarial, kind=ATTACK_KIND, score_range=scorer.score_range):
        growths.append(growth)
        yield ProbeStep(0.7 + 0.3 * len(growths) / (len(places) + 2))
    yield ProbeOutcome(model, {summary.point: summary for summary in summarise(growths)})


def prepared(images: Tensor, device: torch.device) -> Tensor:
    """Return a photo on a device, its longer side reduced to what a measurement needs."""
    height, width = images.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    size = (round(height * scale), round(width * scale))
    return nn.functional.interpolate(images, size, mode="bilinear", antialias=True).clamp(0.0, 1.0).to(device)
