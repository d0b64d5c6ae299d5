"""PNG of images and previews, the grid of 8-bit values, and the amplified perturbation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import levels_of, random_levels

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.images.photo import amplify, decode_image, encode_png, preview_png, round_to_8bit, to_8bit


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 1000))
def test_png_keeps_every_8_bit_image(height: int, width: int, seed: int) -> None:
    levels = torch.from_numpy(random_levels(3, height, width, seed=seed))
    image = levels.float() / 255
    for argument in (image, image[None]):
        photo = decode_image(encode_png(argument))
        assert torch.equal(photo.images[0], image)
        assert photo.notes == ()


def test_png_rounds_to_the_nearest_level() -> None:
    image = torch.tensor([0.0, 0.4, 0.6, 254.4, 254.6, 255.0]).div(255).expand(3, 1, 6)
    assert levels_of(decode_image(encode_png(image)))[0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize(
    "image", [torch.zeros(2, 3, 4, 4), torch.zeros(4, 4), torch.full((3, 4, 4), 1.5), torch.zeros(3, 4, 4).byte()]
)
def test_what_is_not_one_image_is_not_encoded(image: torch.Tensor) -> None:
    for encode in (encode_png, preview_png):
        with pytest.raises(InputError):
            encode(image)


def test_preview_is_reduced_but_never_enlarged() -> None:
    image = torch.rand(1, 3, 30, 60)
    assert decode_image(preview_png(image, 20)).size == (20, 10)
    assert torch.equal(decode_image(preview_png(image, 512)).images, round_to_8bit(image))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_rounding_to_8_bits_keeps_the_grid_and_the_dtype(dtype: torch.dtype) -> None:
    levels = torch.arange(256)
    grid = (levels.float() / 255).to(dtype)
    assert torch.equal(to_8bit(grid), levels.byte())
    assert torch.equal(round_to_8bit(grid), grid)
    values = torch.rand(1000, generator=torch.Generator().manual_seed(0)).to(dtype)
    rounded = round_to_8bit(values)
    assert rounded.dtype == dtype
    assert torch.equal(round_to_8bit(rounded), rounded)
    assert (rounded - values).abs().max() <= 0.5 / 255 + torch.finfo(dtype).eps


def test_rounding_reads_no_value_and_changes_no_input() -> None:
    assert round_to_8bit(torch.rand(1, 3, 4, 4, device="meta")).shape == (1, 3, 4, 4)
    images = torch.tensor([0.3, -0.5, 1.5], requires_grad=True)
    assert to_8bit(images).tolist() == [76, 0, 255]
    assert images.tolist() == pytest.approx([0.3, -0.5, 1.5])


def test_amplified_perturbation_is_signed_round_mid_grey() -> None:
    perturbation = torch.tensor([[-1.0, -4 / 255, 0.0, 4 / 255, 1.0]])
    assert amplify(perturbation, 10).tolist()[0] == pytest.approx([0.0, 0.5 - 40 / 255, 0.5, 0.5 + 40 / 255, 1.0])
    for gain in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="gain"):
            amplify(perturbation, gain)
