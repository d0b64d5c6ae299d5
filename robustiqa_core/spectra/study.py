"""The two studies of a perturbation of one photo: its spectrum, and its growth through a network."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from robustiqa_core.scorer import ScoreRange
from robustiqa_core.spectra.amplification import Growth, Norms, measure_amplification
from robustiqa_core.spectra.flow import FlowFigures, flow_figures
from robustiqa_core.spectra.fourier import (
    RadialProfile,
    Spectrum,
    SpectrumFigures,
    Window,
    radial_profile,
    spectrum,
    spectrum_figures,
)
from robustiqa_core.spectra.probes import measuring_points, noise_of_size

NOISE = "noise"
"""Kind of the perturbation that an attack is compared with: noise of the same root mean square."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredChange:
    """A perturbation of one photo, and its spectrum.

    Args:
        perturbation: (3, H, W), adversarial - clean.
        spectrum: of the same.
        figures: of the spectrum.
        profile: of the spectrum.
        flow: (1, 2, H, W), the movement of pixels; None of an attack that leaves them in place.
    """

    perturbation: Tensor
    spectrum: Spectrum
    figures: SpectrumFigures
    profile: RadialProfile
    flow: Tensor | None = None

    @property
    def flow_figures(self) -> FlowFigures | None:
        """Figures of the movement of pixels, where there is any."""
        return None if self.flow is None else flow_figures(self.flow)[0]


def measure_change(
    images: Tensor, adversarial: Tensor, *, window: Window = "none", flow: Tensor | None = None
) -> MeasuredChange:
    """Return the spectrum of a photo's perturbation.

    Args:
        images: (1, 3, H, W), float, RGB in [0, 1], the photo.
        adversarial: same shape and range; rounded to 8 bits to measure the stored PNG.
        window: `hann` fades the borders.
        flow: (1, 2, H, W), from the attack, where it moves pixels.
    """
    perturbation = adversarial - images
    found = spectrum(perturbation, window=window)
    return MeasuredChange(perturbation[0], found, spectrum_figures(found)[0], radial_profile(found.energies[0]), flow)


def follow_change(
    network: nn.Module,
    images: Tensor,
    adversarial: Tensor,
    *,
    kind: str,
    score_range: ScoreRange,
    norms: Norms = "none",
    seed: int = 0,
) -> Iterator[Growth]:
    """Yield how a perturbation of one photo, and noise of its size, grow: at each measuring point, then at the score.

    Args:
        network: of this package.
        images: (1, 3, H, W), the photo, on the network's device.
        adversarial: same shape, after the attack.
        kind: name of the attack; where it is the noise itself, nothing else is followed.
        score_range: of the network's scores.
        norms: which largest singular values are computed.
        seed: of the noise.

    Raises:
        ConfigurationError: the network is not of this package.
    """
    perturbed = {kind: adversarial}
    perturbed.setdefault(NOISE, noise_of_size(images, adversarial, seed=seed))
    points = measuring_points(network)
    return measure_amplification(network, points, images, perturbed, score_range=score_range, norms=norms)
