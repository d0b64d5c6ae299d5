"""The coarse raster of a spectrum: flat for a flat one, and every wave in the cell of its frequency."""

import math

import pytest
import torch

from robustiqa_core.errors import InputError
from robustiqa_core.spectra import density_map, spectrum


@pytest.mark.parametrize("size", [(8, 8), (12, 9), (64, 65), (80, 300), (127, 128), (200, 131)])
def test_equal_energies_are_0_decibels_in_every_cell(size: tuple[int, int]) -> None:
    found = density_map(torch.full(size, 3.0, dtype=torch.float64))
    assert found.decibels.shape == (len(found.vertical), len(found.horizontal))
    assert torch.equal(found.decibels, torch.zeros_like(found.decibels))
    assert (float(found.vertical[0]), float(found.vertical[-1])) == (-0.5, 0.5)
    assert float(found.vertical[len(found.vertical) // 2]) == 0.0


def test_a_wave_lies_in_the_two_cells_of_its_frequency() -> None:
    rows, columns = torch.arange(128)[:, None], torch.arange(192)
    wave = torch.cos(2 * math.pi * (rows * 16 / 128 + columns * 48 / 192)).expand(1, 3, 128, 192)
    found = density_map(spectrum(wave).energies[0])
    bright = found.decibels > 0.0
    places = {
        (float(found.vertical[row]), float(found.horizontal[column])) for row, column in bright.nonzero().tolist()
    }
    assert places == {(0.125, 0.25), (-0.125, -0.25)}


def test_the_mean_over_cells_of_one_frequency_each_keeps_the_energy() -> None:
    energies = torch.rand(129, 129, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = density_map(energies)
    middle = energies[63:66, 63:66].mean() / energies.mean()
    assert float(found.decibels[32, 32]) == pytest.approx(10 * math.log10(float(middle)))


@pytest.mark.parametrize("energies", [torch.ones(7, 8), torch.ones(1, 8, 8), torch.ones(8)])
def test_what_is_no_spectrum_of_one_photo_is_refused(energies: torch.Tensor) -> None:
    with pytest.raises(InputError, match="one photo"):
        density_map(energies)
