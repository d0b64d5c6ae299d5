"""The largest singular value of a Jacobian equals that of the explicit matrix."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.models.preprocessing import fit
from robustiqa_core.spectra import largest_singular_value


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def explicit(function: nn.Module, point: Tensor) -> float:
    """The same from the whole Jacobian matrix."""
    jacobian = torch.autograd.functional.jacobian(function, point)
    return float(torch.linalg.matrix_norm(jacobian.reshape(-1, point.numel()), 2))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_of_a_matrix(rows: int, columns: int, seed: int) -> None:
    matrix, x = draw(seed, rows, columns), draw(seed + 1, columns).requires_grad_()
    expected = float(torch.linalg.matrix_norm(matrix, 2))
    found = largest_singular_value(matrix @ x, x, tolerance=1e-8)
    assert found == pytest.approx(expected, rel=1e-7)


def test_the_usual_tolerance_is_a_few_percent_at_worst_and_never_too_much() -> None:
    """Random matrices have crowded singular values; among 3,000 the largest error was 3.6 %."""
    errors = []
    for seed in range(100):
        matrix, x = draw(seed, 30, 20), draw(seed + 1, 20).requires_grad_()
        errors.append(1 - largest_singular_value(matrix @ x, x) / float(torch.linalg.matrix_norm(matrix, 2)))
    assert min(errors) > -1e-9
    assert 0 < max(errors) < 0.05


class Reduction(nn.Module):
    """How the models scale photos down."""

    def forward(self, images: Tensor) -> Tensor:
        return fit(images, 3)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 5, 3, stride=2, padding=1),
        nn.ConvTranspose2d(3, 2, 2, stride=2),
        nn.AvgPool2d(2),
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 2, 1), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 5, 7), nn.Softplus(), nn.Linear(7, 1)),
        Reduction(),
        nn.Sequential(nn.MaxPool2d(2), nn.Softmax(dim=1)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_of_a_layer_at_a_photo(layer: nn.Module) -> None:
    torch.manual_seed(0)
    network = layer.double().eval().requires_grad_(False)
    for weight in network.parameters():
        weight.copy_(torch.randn_like(weight))
    x = draw(0, 1, 3, 6, 5).requires_grad_()
    assert largest_singular_value(network(x), x, tolerance=1e-7) == pytest.approx(explicit(network, x), rel=1e-6)


def test_two_equal_singular_values_are_no_obstacle() -> None:
    x = draw(0, 6).requires_grad_()
    scales = torch.tensor([3.0, -3.0, 2.999, 1.0, 0.0, 1e-9], dtype=torch.float64)
    assert largest_singular_value(scales * x, x, tolerance=1e-9) == pytest.approx(3.0, rel=1e-9)


def test_in_single_precision_too() -> None:
    x = draw(1, 40).float().requires_grad_()
    matrix = draw(2, 50, 40).float()
    assert largest_singular_value(matrix @ x, x, tolerance=1e-4) == pytest.approx(
        float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-4
    )


def test_a_map_that_changes_nothing_has_the_value_0() -> None:
    x = draw(3, 4).requires_grad_()
    assert largest_singular_value(torch.relu(-x.square() - 1), x) == 0.0
    assert largest_singular_value(0.0 * x, x) == 0.0


def test_it_is_repeatable_and_leaves_gradients_and_modes_alone() -> None:
    x = draw(4, 30).requires_grad_()
    weights = draw(5, 20, 30).requires_grad_()
    state = torch.get_rng_state()
    outputs = weights @ x.sin()
    with torch.no_grad():
        values = {largest_singular_value(outputs, x) for _ in range(2)}
        assert not torch.is_grad_enabled()
    assert len(values) == 1
    assert weights.grad is None
    assert x.grad is None
    assert torch.equal(torch.get_rng_state(), state)


def test_what_cannot_be_computed_is_refused() -> None:
    x = draw(6, 8).requires_grad_()
    with pytest.raises(InputError, match="without"):
        largest_singular_value(x.detach() * 2, x)
    with pytest.raises(InputError, match="depend on the inputs"):
        largest_singular_value(draw(7, 3).requires_grad_() * 2, x)
    with pytest.raises(NumericalError, match="finite derivatives"):
        largest_singular_value((x * 0.0).sqrt(), x)
    with pytest.raises(NumericalError, match="more steps"):
        largest_singular_value(torch.linspace(1, 2, 8, dtype=torch.float64) * x, x, tolerance=1e-12, max_steps=2)
    with pytest.raises(ConfigurationError, match="tolerance"):
        largest_singular_value(x * 2, x, tolerance=math.nan)
