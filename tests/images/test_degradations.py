"""Degradations: contracts of every kind, and what each does to photos made for it."""

import io
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.images.degradations import DEGRADATIONS, LEVELS, gaussian_blur
from robustiqa_core.images.photo import encode_png, read_image, round_to_8bit
from robustiqa_core.images.samples import sample_path
from robustiqa_core.metrics.fidelity import psnr

RANDOM = {"noise", "pink_noise", "chroma_noise", "salt_and_pepper", "motion_blur"}


@pytest.fixture(scope="module")
def photo() -> Tensor:
    """A photo with colour, texture and smooth parts, in the smallest size that still looks like one."""
    whole = read_image(sample_path("cat")).images
    return round_to_8bit(F.interpolate(whole, (97, 146), mode="bilinear", antialias=True))


def grey(value: float = 0.5, side: int = 128) -> Tensor:
    return torch.full((1, 3, side, side), value)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_level_is_farther_from_the_photo(name: str, photo: Tensor) -> None:
    figures = [psnr(photo, DEGRADATIONS[name](photo, level)).item() for level in LEVELS]
    assert all(a > b + 0.4 for a, b in itertools.pairwise(figures)), figures
    assert figures[0] < 40
    assert figures[-1] < figures[0] - 6


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_photo_comes_out_the_same_alone_in_a_batch_and_on_every_call(name: str, photo: Tensor) -> None:
    state = torch.get_rng_state()
    before = photo.clone()
    together = DEGRADATIONS[name](torch.cat((photo, photo.flip(2))), 3)
    alone = torch.cat([DEGRADATIONS[name](one, 3) for one in (photo, photo.flip(2))])
    # Powers round differently at the end of a vector of the processor.
    torch.testing.assert_close(alone, together, atol=1e-6, rtol=0)
    assert torch.equal(DEGRADATIONS[name](photo, 3), alone[:1])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(photo, before)
    assert torch.equal(DEGRADATIONS[name](photo, 3, seed=1), alone[:1]) != (name in RANDOM)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_any_size_stays_in_range_and_keeps_its_shape_and_dtype(name: str, dtype: torch.dtype) -> None:
    for size in ((1, 1), (3, 64), (65, 33)):
        images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)).to(dtype)
        for level in (1, 5):
            degraded = DEGRADATIONS[name](images, level)
            assert (degraded.shape, degraded.dtype) == (images.shape, dtype)
            assert degraded.min() >= 0
            assert degraded.max() <= 1


@pytest.mark.parametrize("level", [0, 6, 2.0, True])
def test_other_levels_are_refused(level: int, photo: Tensor) -> None:
    with pytest.raises(ConfigurationError, match="level must be a whole number from 1 to 5"):
        DEGRADATIONS["blur"](photo, level)


def test_what_is_no_photo_is_refused(photo: Tensor) -> None:
    with pytest.raises(InputError, match="divide 8-bit values"):
        DEGRADATIONS["noise"](photo * 255, 1)


def test_blur_spreads_a_point_with_the_variance_that_it_states() -> None:
    for sigma in (0.8, 5.0):
        point = torch.zeros(1, 3, 65, 65)
        point[..., 32, 32] = 1
        spread = gaussian_blur(point, sigma)[0, 1]
        places = torch.arange(65) - 32
        assert spread.sum().item() == pytest.approx(1, abs=1e-5)
        for axis in (0, 1):
            variance = (spread.sum(axis) * places.square()).sum().item()
            assert variance == pytest.approx(sigma**2, rel=0.05)


@pytest.mark.parametrize("name", ["blur", "motion_blur", "downscale", "sharpen", "contrast", "desaturate"])
def test_what_moves_no_brightness_leaves_an_even_photo_alone(name: str) -> None:
    torch.testing.assert_close(DEGRADATIONS[name](grey(0.3), 5), grey(0.3), atol=1e-5, rtol=0)


def test_motion_blur_smears_a_point_along_a_line_of_its_length() -> None:
    point = torch.zeros(1, 3, 65, 65)
    point[..., 32, 32] = 1
    kind = DEGRADATIONS["motion_blur"]
    smeared = kind(point, 4)[0, 0]
    places = torch.stack(torch.meshgrid(torch.arange(65.0), torch.arange(65.0), indexing="ij")) - 32
    spread = torch.einsum("hw,ihw,jhw->ij", smeared, places, places)
    across, along = torch.linalg.eigvalsh(spread).tolist()
    # The variance of an even spread over a length L is L^2 / 12.
    assert along == pytest.approx(kind.strengths[3] ** 2 / 12, rel=0.05)
    assert across < 0.5


@pytest.mark.parametrize("name", ["noise", "pink_noise", "chroma_noise"])
def test_noise_has_the_deviation_that_it_states(name: str) -> None:
    kind = DEGRADATIONS[name]
    noise = kind(grey(), 2)[0] - 0.5
    expected = kind.strengths[1]
    if name == "chroma_noise":
        luma = (noise * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0)
        assert luma.abs().max() < 1e-5
        # Of white noise n less its luma: 1 - 2 w + sum of w^2, for the weight w of each channel.
        weights = torch.tensor([0.299, 0.587, 0.114])
        deviations = expected * (1 - 2 * weights + weights.square().sum()).sqrt()
    else:
        deviations = torch.full((3,), expected)
    torch.testing.assert_close(noise.std((1, 2)), deviations, rtol=0.03, atol=0)


def test_the_amplitude_of_pink_noise_falls_as_one_over_the_frequency() -> None:
    noise = DEGRADATIONS["pink_noise"](grey(), 1)[0] - 0.5
    spectrum = torch.fft.fft2(noise).abs().square().mean(0)
    frequencies = torch.fft.fftfreq(128) * 128
    radius = (frequencies[:, None].square() + frequencies.square()).sqrt().round()
    power = [spectrum[radius == r].mean().item() for r in (4, 8, 16, 32)]
    slopes = [np.log2(a / b) for a, b in itertools.pairwise(power)]
    assert slopes == pytest.approx([2, 2, 2], abs=0.5)


def test_salt_and_pepper_hit_the_stated_share_of_the_pixels_in_equal_parts() -> None:
    kind = DEGRADATIONS["salt_and_pepper"]
    hit = kind(grey(), 4)[0]
    assert torch.equal(hit[0], hit[2])
    for end in (0.0, 1.0):
        assert (hit[0] == end).float().mean().item() == pytest.approx(kind.strengths[3] / 2, rel=0.1)


def test_contrast_loss_keeps_the_mean_and_scales_the_deviation(photo: Tensor) -> None:
    even = photo.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    kind = DEGRADATIONS["contrast"]
    for level, share in zip(LEVELS, kind.strengths, strict=True):
        weak = kind(even, level)
        assert weak.mean().item() == pytest.approx(even.mean().item(), abs=1e-5)
        assert weak.std().item() == pytest.approx(share * even.std().item(), rel=1e-4)


def test_exposure_works_on_the_light() -> None:
    # sRGB 188/255 is half of the light of 255/255, to three digits.
    half = grey(188 / 255, side=8)
    assert DEGRADATIONS["overexposure"](half, 2).mean().item() == pytest.approx(1, abs=0.005)
    assert DEGRADATIONS["underexposure"](grey(1.0, side=8), 1).mean().item() == pytest.approx(188 / 255, abs=0.003)
    assert DEGRADATIONS["overexposure"](grey(0.9, side=8), 5).max().item() == pytest.approx(1)


def test_jpeg_is_what_a_file_of_that_quality_holds(photo: Tensor) -> None:
    kind = DEGRADATIONS["jpeg"]
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(encode_png(photo)))
    picture.save(buffer, "JPEG", quality=int(kind.strengths[2]))
    expected = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1).float() / 255
    assert torch.equal(kind(photo, 3)[0], expected)


def test_posterised_and_dithered_photos_have_few_colours(photo: Tensor) -> None:
    for level, values in zip(LEVELS, DEGRADATIONS["posterise"].strengths, strict=True):
        assert DEGRADATIONS["posterise"](photo, level).unique().numel() <= values
    for level, colours in zip(LEVELS, DEGRADATIONS["dither"].strengths, strict=True):
        pixels = DEGRADATIONS["dither"](photo, level)[0].flatten(1).T
        assert 2 <= pixels.unique(dim=0).shape[0] <= colours


def test_the_last_level_of_colour_loss_is_grey_and_as_bright(photo: Tensor) -> None:
    colourless = DEGRADATIONS["desaturate"](photo, 5)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    expected = (photo * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    torch.testing.assert_close(colourless, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_gpu_gives_the_same_photos(name: str, photo: Tensor) -> None:
    on_gpu = DEGRADATIONS[name](photo.cuda(), 3)
    assert on_gpu.is_cuda
    torch.testing.assert_close(on_gpu.cpu(), DEGRADATIONS[name](photo, 3), atol=2e-3, rtol=0)
