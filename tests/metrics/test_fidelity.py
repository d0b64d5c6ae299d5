"""Figures of fidelity against independent implementations and by hand."""

import math
from collections.abc import Callable

import numpy as np
import piq
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from robustiqa_core.errors import InputError
from robustiqa_core.metrics.fidelity import HAARPSI_SIDE, haarpsi, l2, linf, psnr, ssim
from robustiqa_core.metrics.ssim import SSIM_WINDOW

METRICS = {"linf": linf, "l2": l2, "psnr": psnr, "ssim": ssim, "haarpsi": haarpsi}


def pair(*shape: int, strength: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(*shape, generator=generator)
    return images, (images + strength * torch.randn(*shape, generator=generator)).clamp(0, 1)


def as_array(image: Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).double().numpy()


def test_values_worked_by_hand() -> None:
    images = torch.full((2, 3, 12, 16), 0.5)
    adversarial = images.clone()
    adversarial[0, 1, 3, 4] += 0.25
    adversarial[1] -= 0.125
    assert linf(images, adversarial).tolist() == [0.25, 0.125]
    assert l2(images, adversarial).tolist() == pytest.approx([0.25, 0.125 * math.sqrt(3 * 12 * 16)])
    mse = (0.25**2 / (3 * 12 * 16), 0.125**2)
    assert psnr(images, adversarial).tolist() == pytest.approx([10 * math.log10(1 / error) for error in mse])
    # Two constant images differ in luminance only: (2 a b + C1) / (a^2 + b^2 + C1).
    assert ssim(images, adversarial)[1].item() == pytest.approx((0.375 + 1e-4) / (0.25 + 0.375**2 + 1e-4))


def test_an_image_equals_itself() -> None:
    images, _ = pair(2, 3, 16, 20)
    assert linf(images, images).tolist() == [0.0, 0.0]
    assert l2(images, images).tolist() == [0.0, 0.0]
    assert psnr(images, images).tolist() == [math.inf, math.inf]
    assert ssim(images, images).tolist() == [1.0, 1.0]
    assert haarpsi(images, images).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 33, 47), (1, 3, 11, 11), (1, 3, 11, 60)])
@pytest.mark.parametrize("strength", [0.002, 0.1, 1.0])
def test_ssim_equals_scikit_image(shape: tuple[int, ...], strength: float) -> None:
    images, adversarial = pair(*shape, strength=strength)
    ours = ssim(images, adversarial)
    theirs = [
        structural_similarity(
            as_array(image),
            as_array(changed),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
        )
        for image, changed in zip(images, adversarial, strict=True)
    ]
    assert ours.tolist() == pytest.approx(theirs, abs=1e-6)


def test_ssim_of_flat_bright_images_is_not_lost_to_rounding() -> None:
    images = torch.full((1, 3, 32, 32), 1.0)
    adversarial = images - 2e-3 * (torch.arange(32) % 2)
    expected = structural_similarity(
        as_array(images[0]),
        as_array(adversarial[0]),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
    )
    assert ssim(images, adversarial).item() == pytest.approx(expected, abs=1e-7)


def test_psnr_equals_scikit_image() -> None:
    images, adversarial = pair(2, 3, 20, 30)
    theirs = [
        peak_signal_noise_ratio(as_array(image), as_array(changed), data_range=1.0)
        for image, changed in zip(images, adversarial, strict=True)
    ]
    assert psnr(images, adversarial).tolist() == pytest.approx(theirs, rel=1e-6)


def test_ssim_and_psnr_equal_piq() -> None:
    images, adversarial = pair(3, 3, 40, 52, strength=0.05)
    theirs = piq.ssim(images.double(), adversarial.double(), downsample=False, reduction="none")
    assert ssim(images, adversarial).tolist() == pytest.approx(theirs.tolist(), abs=1e-6)
    decibels = piq.psnr(images.double(), adversarial.double(), reduction="none")
    assert psnr(images, adversarial).tolist() == pytest.approx(decibels.tolist(), abs=1e-4)


def test_haarpsi_falls_with_the_strength_and_sees_a_change_of_colour_alone() -> None:
    images = pair(1, 3, 64, 80)[0] * 0.4 + 0.3
    similarity = [haarpsi(images, images + strength * torch.sign(images - 0.5)).item() for strength in (0, 0.01, 0.03)]
    assert 1 >= similarity[0] > similarity[1] > similarity[2] > 0.5
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    colour = torch.tensor([0.587, -0.299, 0.0]).view(3, 1, 1) * torch.sign(images[:, :1] - 0.5) * 0.2
    assert (colour * weights).sum(1).abs().max() < 1e-7
    assert piq.gmsd(images, images + colour, reduction="none").item() < 1e-4
    assert haarpsi(images, images + colour).item() < 0.99


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_images_of_a_batch_are_independent_and_the_order_of_the_pair_does_not_matter(
    metric: Callable[[Tensor, Tensor], Tensor],
) -> None:
    images, adversarial = pair(3, 3, 16, 24)
    together = metric(images, adversarial)
    assert together.shape == (3,)
    assert together.dtype == torch.float32
    alone = torch.cat([metric(images[i : i + 1], adversarial[i : i + 1]) for i in range(3)])
    assert torch.equal(together, alone)
    torch.testing.assert_close(metric(adversarial, images), together)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_what_cannot_be_compared_is_refused(metric: Callable[[Tensor, Tensor], Tensor]) -> None:
    images = torch.zeros(1, 3, 16, 16)
    for other in (torch.zeros(1, 3, 16, 17), torch.zeros(2, 3, 16, 16)):
        with pytest.raises(InputError, match="of one shape"):
            metric(images, other)
    for other in (torch.zeros(3, 16, 16), images + 2, images.byte(), torch.full_like(images, math.nan)):
        with pytest.raises(InputError):
            metric(images, other)


def test_ssim_refuses_images_below_its_window() -> None:
    small = torch.zeros(1, 3, SSIM_WINDOW - 1, 40)
    with pytest.raises(InputError, match="at least 11 px on each side, got 40 x 10; use a larger photo"):
        ssim(small, small)
    assert psnr(small, small).tolist() == [math.inf]


def test_haarpsi_refuses_images_below_its_filter() -> None:
    small = torch.zeros(1, 3, HAARPSI_SIDE - 1, 40)
    with pytest.raises(InputError, match="at least 16 px on each side, got 40 x 15; use a larger photo"):
        haarpsi(small, small)
