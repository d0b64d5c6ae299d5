"""Flow fields with known displacement, divergence and curl."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robustiqa_core.errors import InputError
from robustiqa_core.spectra import arrows, curl, displacement, divergence, flow_figures


def grid(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Columns and rows of the pixels, (H, W) each."""
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    return columns, rows


def test_a_zoom_diverges_and_a_turn_curls() -> None:
    x, y = grid(7, 9)
    zoom = 0.1 * torch.stack((x, y))[None]
    turn = 0.2 * torch.stack((-y, x))[None]
    assert torch.allclose(divergence(zoom), torch.full((1, 7, 9), 0.2, dtype=torch.float64))
    assert torch.allclose(curl(zoom), torch.zeros(1, 7, 9, dtype=torch.float64))
    assert torch.allclose(curl(turn), torch.full((1, 7, 9), 0.4, dtype=torch.float64))
    assert torch.allclose(divergence(turn), torch.zeros(1, 7, 9, dtype=torch.float64))
    both = flow_figures(torch.cat((zoom, turn)))
    assert (both[0].rms_divergence, both[1].rms_curl) == pytest.approx((0.2, 0.4))
    assert both[0].maximum == pytest.approx(0.1 * math.hypot(8, 6))


def test_a_shift_has_one_length_everywhere_and_neither_divergence_nor_curl() -> None:
    shift = torch.tensor([-3.0, 4.0]).view(1, 2, 1, 1).expand(2, 2, 6, 5)
    assert torch.equal(displacement(shift), torch.full((2, 6, 5), 5.0))
    figures = flow_figures(shift)[1]
    assert (figures.mean, figures.rms, figures.maximum) == pytest.approx((5.0, 5.0, 5.0))
    assert (figures.rms_divergence, figures.rms_curl) == (0.0, 0.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(2, 60), st.integers(1, 30))
def test_arrows_stand_in_the_middle_of_what_they_average(height: int, width: int, along: int) -> None:
    """The mean of a linear field over a cell is its value at the cell's centre."""
    x, y = grid(height, width)
    found = arrows(torch.stack((2 * x + 1, 3 * y))[None], along=along)
    assert max(found.x.shape) <= along
    # The centre of pixel 0 is at 0.5.
    assert torch.allclose(found.right[0], 2 * (found.x - 0.5) + 1)
    assert torch.allclose(found.down[0], 3 * (found.y - 0.5))


@pytest.mark.parametrize(
    "flow",
    [
        torch.zeros(1, 3, 8, 8),
        torch.zeros(2, 8, 8),
        torch.zeros(1, 2, 1, 8),
        torch.zeros(1, 2, 8, 8, dtype=torch.int64),
        torch.full((1, 2, 8, 8), math.inf),
    ],
)
def test_what_is_no_flow_is_refused(flow: torch.Tensor) -> None:
    with pytest.raises(InputError, match="expected a flow"):
        flow_figures(flow)
