"""Spectra of perturbations: energies add up, and each pattern lies where it belongs."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.spectra import WINDOWS, Window, radial_profile, spectrum, spectrum_figures
from robustiqa_core.spectra.fourier import luma_chroma_axes
from robustiqa_core.spectra.frequencies import frequency_axis, frequency_radius, rings

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24))


def change(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def wave(height: int, width: int, row: int, column: int) -> torch.Tensor:
    """A cosine of `row` cycles over the height and `column` over the width, in all channels of one image."""
    angles = 2 * math.pi * (row * torch.arange(height)[:, None] / height + column * torch.arange(width) / width)
    return angles.double().cos().expand(1, 3, height, width)


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(0, 1000))
def test_parseval_holds_for_channels_and_for_luma_with_chroma(size: tuple[int, int, int], seed: int) -> None:
    count, height, width = size
    perturbation = change(seed, count, 3, height, width)
    energy = perturbation.square().sum((2, 3))
    found = spectrum(perturbation)
    assert torch.allclose(found.amplitude.square().sum((2, 3)), energy)
    assert torch.allclose((found.luma.square() + found.chroma.square()).sum((1, 2)), energy.sum(1))
    for figures, total in zip(spectrum_figures(found), energy.sum(1), strict=True):
        assert figures.energy == pytest.approx(total.item())
        assert figures.rms == pytest.approx(math.sqrt(total.item() / (3 * height * width)))
        for shares in (figures.band_shares, figures.white_band_shares, figures.channel_shares):
            assert sum(shares.values()) == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(5, 40), st.integers(5, 40))
def test_a_cosine_puts_all_its_energy_into_its_own_frequency_and_band(
    data: st.DataObject, height: int, width: int
) -> None:
    row = data.draw(st.integers(-((height - 1) // 2), (height - 1) // 2))
    column = data.draw(st.integers(-((width - 1) // 2), (width - 1) // 2))
    found = spectrum(wave(height, width, row, column))
    energies = found.energies[0]
    cells = {(height // 2 + row, width // 2 + column), (height // 2 - row, width // 2 - column)}
    assert sum(energies[cell].item() for cell in cells) == pytest.approx(energies.sum().item())
    assert {(found.vertical[y].item(), found.horizontal[x].item()) for y, x in cells} == {
        (row / height, column / width),
        (-row / height, -column / width),
    }
    radius = math.hypot(row / height, column / width)
    band = "low" if radius < 1 / 8 else "mid" if radius < 1 / 4 else "high"
    assert spectrum_figures(found)[0].band_shares[band] == pytest.approx(1.0)


def test_an_oblong_image_is_measured_in_cycles_per_pixel_not_in_bins() -> None:
    """Twenty cycles are coarse over 200 pixels and fine over 40: bins would say the opposite of both."""
    coarse = spectrum_figures(spectrum(wave(40, 200, 0, 20)))[0]
    fine = spectrum_figures(spectrum(wave(40, 200, 15, 0)))[0]
    assert coarse.band_shares["low"] == pytest.approx(1.0)
    assert fine.band_shares["high"] == pytest.approx(1.0)
    profile = radial_profile(spectrum(wave(64, 200, 16, 0)).energies[0])
    assert profile.radius[profile.energy.argmax()].item() == pytest.approx(0.25)
    profile = radial_profile(spectrum(wave(64, 200, 0, 50)).energies[0])
    assert profile.radius[profile.energy.argmax()].item() == pytest.approx(0.25)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_turning_the_image_by_90_degrees_turns_the_spectrum(rows: int, columns: int, seed: int) -> None:
    # Odd sides: an even axis has -0.5 but not 0.5, so that turning it leaves the grid.
    perturbation = change(seed, 1, 3, 2 * rows + 1, 2 * columns + 1)
    upright, turned = spectrum(perturbation), spectrum(perturbation.rot90(1, (2, 3)))
    assert torch.equal(turned.vertical, upright.horizontal)
    assert torch.allclose(turned.amplitude, upright.amplitude.rot90(1, (2, 3)))
    assert torch.allclose(turned.luma, upright.luma.rot90(1, (1, 2)))


@settings(max_examples=30, deadline=None)
@given(SIZES, st.floats(-0.9, 0.9).filter(lambda value: abs(value) > 1e-3))
def test_a_constant_is_frequency_0_alone(size: tuple[int, int, int], value: float) -> None:
    count, height, width = size
    found = spectrum(torch.full((count, 3, height, width), value))
    assert found.vertical[height // 2] == 0.0
    assert found.horizontal[width // 2] == 0.0
    for figures in spectrum_figures(found):
        assert figures.constant_share == pytest.approx(1.0)
        assert figures.band_shares["low"] == pytest.approx(1.0)
    profile = radial_profile(found.energies[0])
    assert profile.relative[0].item() == pytest.approx(height * width)
    assert torch.nan_to_num(profile.energy[1:]).max().item() < 1e-12


def test_colours_go_where_they_belong() -> None:
    luma_weights = torch.tensor((0.299, 0.587, 0.114), dtype=torch.float64)
    axes = luma_chroma_axes()
    assert torch.allclose(axes @ axes.T, torch.eye(3, dtype=torch.float64))
    assert torch.allclose(axes[1:] @ luma_weights, torch.zeros(2, dtype=torch.float64), atol=1e-15)
    assert axes[1, 2] > 0  # blue
    pattern = change(0, 1, 1, 6, 5)
    colours = {
        "luma": (luma_weights, 1.0),
        "blue without luma": (axes[1], 0.0),
        "grey": (torch.ones(3), 1 / (3 * luma_weights.square().sum().item())),
        "green": (torch.tensor((0.0, 1.0, 0.0)), 0.587**2 / luma_weights.square().sum().item()),
    }
    for name, (colour, share) in colours.items():
        (figures,) = spectrum_figures(spectrum(pattern * colour.view(1, 3, 1, 1)))
        assert figures.luma_share == pytest.approx(share, abs=1e-12), name
    assert figures.channel_shares == pytest.approx({"red": 0.0, "green": 1.0, "blue": 0.0})


def test_white_noise_is_flat_and_a_third_luma() -> None:
    (figures,) = spectrum_figures(spectrum(change(1, 1, 3, 256, 200)))
    assert figures.luma_share == pytest.approx(1 / 3, abs=0.01)
    for band, share in figures.white_band_shares.items():
        assert figures.band_shares[band] == pytest.approx(share, abs=0.01)
    assert figures.white_band_shares["high"] == pytest.approx(1 - math.pi / 16, abs=0.01)
    profile = radial_profile(spectrum(change(1, 1, 3, 256, 200)).energies[0])
    assert profile.relative[5:].sub(1).abs().max().item() < 0.2


def test_each_image_is_measured_on_its_own() -> None:
    perturbation = change(2, 3, 3, 9, 8)
    together = spectrum(perturbation)
    for index in range(3):
        alone = spectrum(perturbation[index : index + 1])
        assert torch.allclose(alone.amplitude[0], together.amplitude[index])
        assert spectrum_figures(alone)[0].band_shares == pytest.approx(spectrum_figures(together)[index].band_shares)


def test_a_window_takes_the_cross_of_a_ramp_away_and_keeps_the_energy_of_white_noise() -> None:
    """A ramp is coarse, but as a tile it jumps from one border to the other, which is not."""
    ramp = torch.linspace(-1, 1, 64, dtype=torch.float64).expand(1, 3, 64, 64)
    shares = {window: spectrum_figures(spectrum(ramp, window=window))[0].band_shares["high"] for window in WINDOWS}
    assert shares["none"] > 1e-3 > 1e-5 > shares["hann"]
    noise = change(3, 1, 3, 128, 96)
    faded = spectrum(noise, window="hann").energies.sum().item()
    assert faded == pytest.approx(noise.square().sum().item(), rel=0.05)


def test_a_perturbation_of_nothing_has_no_shares() -> None:
    (figures,) = spectrum_figures(spectrum(torch.zeros(1, 3, 8, 8)))
    assert (figures.energy, figures.rms) == (0.0, 0.0)
    assert all(math.isnan(share) for share in (*figures.band_shares.values(), figures.luma_share))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 64), (64, 299), (299, 299), (67, 1001), (512, 384)])
def test_photos_of_every_size_have_the_same_rings(height: int, width: int) -> None:
    ring, radius = rings(height, width)
    counts = torch.bincount(ring.flatten(), minlength=len(radius))
    assert radius.tolist() == [k / 64 for k in range(46)]
    assert counts[0] == 1
    assert counts.min() > 0
    distance = (frequency_radius(height, width) - radius[ring]).abs()
    inner = (ring > 1) | (ring == 0)
    assert distance[inner].max() <= 0.5 / 64 + 1e-12


@pytest.mark.parametrize("size", [1, 2, 5, 8, 299])
def test_frequencies_are_centred(size: int) -> None:
    axis = frequency_axis(size)
    assert axis[size // 2] == 0.0
    assert axis.min() >= -0.5
    assert axis.max() < 0.5
    assert bool((axis.diff() > 0).all())


@pytest.mark.parametrize(
    ("perturbation", "message"),
    [
        (torch.zeros(3, 8, 8), "batch axis"),
        (torch.zeros(1, 1, 8, 8), "RGB"),
        (torch.zeros(0, 3, 8, 8), "shape"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "8-bit"),
        (torch.full((1, 3, 8, 8), math.nan), "NaN"),
    ],
)
def test_what_is_no_change_of_images_is_refused(perturbation: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        spectrum(perturbation)


def test_an_unknown_window_is_refused() -> None:
    window: Window = "hamming"  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match="none, hann"):
        spectrum(torch.zeros(1, 3, 8, 8), window=window)
