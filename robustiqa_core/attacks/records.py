"""The records of an attack: trials, steps and the result."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from robustiqa_core.checks import check_count
from robustiqa_core.errors import InputError
from robustiqa_core.files import write_bytes
from robustiqa_core.images.photo import encode_png
from robustiqa_core.metrics import fidelity
from robustiqa_core.metrics.ssim import SSIM_WINDOW


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial, yielded by an attack: the images of one step.

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
        adversarial: (N, 3, H, W), the best image so far of each, within its budget; the photo itself while
            nothing is better. (For the noise null: the newest.)
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


@dataclass(frozen=True, slots=True, repr=False)
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

    @property
    def scores(self) -> Tensor:
        """(N,), scores of the adversarial images as a saved file has them: `rounded_scores`."""
        return self.rounded_scores

    @property
    def gain(self) -> Tensor:
        """(N,), change of the scores by the adversarial images once saved, signed, in the model's unit."""
        return self.rounded_scores - self.clean_scores

    @property
    def perturbation(self) -> Tensor:
        """(N, 3, H, W), adversarial - clean, before rounding."""
        return self.adversarial - self.images

    @property
    def linf(self) -> Tensor:
        """(N,), largest change of a value before rounding, as a fraction of [0, 1]."""
        return fidelity.linf(self.images, self.adversarial)

    @property
    def l2(self) -> Tensor:
        """(N,), Euclidean length of the change before rounding."""
        return fidelity.l2(self.images, self.adversarial)

    @property
    def psnr(self) -> Tensor:
        """(N,), of the 8-bit adversarial images against the clean ones in dB; infinite where they are equal."""
        return fidelity.psnr(self.images, self.rounded)

    @property
    def ssim(self) -> Tensor:
        """(N,), of the 8-bit adversarial images against the clean ones, at most 1."""
        return fidelity.ssim(self.images, self.rounded)

    def save(self, path: Path | str, *, index: int | None = None) -> Path:
        """Write an adversarial image as a PNG of its true size, which loses nothing; return the path.

        What `read_image` gives back is `rounded`, and scores `rounded_scores`.

        Args:
            path: ends in .png. Lossy formats change pixels by more than an attack does, and are refused.
            index: which image of a batch; may be left out where there is only one.

        Raises:
            InputError: another ending, or several images and no index.
        """
        place = Path(path)
        if place.suffix.lower() != ".png":
            raise InputError(
                f"expected a file name that ends in .png, which keeps every pixel, got {place.name!r}; "
                f"save it as {place.stem or 'adversarial'}.png"
            )
        count = len(self.rounded)
        if index is None and count > 1:
            raise InputError(f"expected the index of one of {count} images, got none; save each with its index")
        chosen = check_count("index", index or 0, low=0, high=count - 1)
        write_bytes(place, encode_png(self.rounded[chosen]))
        return place

    def __repr__(self) -> str:
        """Return the figures in one line, the mean of them for a batch; the tensors are long."""
        count = len(self.images)
        head = "1 image:" if count == 1 else f"{count} images, means:"
        if self.images.is_meta:
            return f"AttackResult({count} on meta)"
        values = [
            f"score {self.clean_scores.mean():.4f} -> {self.scores.mean():.4f}",
            f"gain {self.gain.mean():+.4f}",
            f"linf {self.linf.mean() * 255:.3g}/255",
            f"PSNR {self.psnr.mean():.1f} dB",
        ]
        if min(self.images.shape[-2:]) >= SSIM_WINDOW:
            values.append(f"SSIM {self.ssim.mean():.4f}")
        return f"AttackResult({head} {', '.join(values)})"
