"""What every orthogonalisation promises. The oracle is the explicit matrix of the layer."""

import copy
import warnings
from collections.abc import Callable

import pytest
import safetensors.torch
import torch
from block_layers import EXACT, TRAINED, explicit_matrix, maps, new, train_a_little
from torch import Tensor

from robustiqa_core import selfcheck
from robustiqa_core.blocks import ORTHOGONALIZATIONS, orthogonality_error, response, singular_values
from robustiqa_core.blocks.orthonormal import check_orthonormal, semi_orthogonal
from robustiqa_core.blocks.soc import exponential
from robustiqa_core.blocks.spectral import transfer
from robustiqa_core.errors import ConfigurationError, NumericalError

GRIDS = [(4, 4), (3, 5), (5, 2), (1, 4), (2, 2)]
SHAPES = [(3, 3), (2, 5), (5, 2), (1, 1)]


def check_guarantee(name: str, values: Tensor, tolerance: float = 1e-5) -> None:
    guarantee = ORTHOGONALIZATIONS[name].guarantee
    if guarantee == "orthogonal":
        assert (values - 1).abs().max() < tolerance
    if guarantee == "nonexpansive":
        assert values.max() < 1 + tolerance
    assert values.isfinite().all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", ORTHOGONALIZATIONS)
def test_the_singular_values_of_the_explicit_matrix_are_as_promised(
    name: str, grid: tuple[int, int], shape: tuple[int, int]
) -> None:
    for kernel_size in (1, 3, 5):
        layer = new(name, *shape, kernel_size)
        check_guarantee(name, torch.linalg.svdvals(explicit_matrix(layer, shape[0], *grid)))


@pytest.mark.parametrize("name", TRAINED)
def test_the_promise_survives_training_storing_and_another_size(name: str) -> None:
    layer = new(name, 4, 4)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    train_a_little(layer, 4)
    # Without kernels nothing is trained: these values would pass with any weights.
    assert all(not torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    half = {key: value.half().contiguous() for key, value in layer.state_dict().items()}
    stored = new(name, 4, 4)
    stored.load_state_dict(safetensors.torch.load(safetensors.torch.save(half)), strict=True)
    for changed in (layer, stored, copy.deepcopy(layer)):
        for grid in ((4, 5), (3, 3)):
            check_guarantee(name, torch.linalg.svdvals(explicit_matrix(changed, 4, *grid)))


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in TRAINED if name in EXACT])
def test_it_is_orthogonal_at_512_channels(name: str) -> None:
    """Q^H Q = I at every frequency, within 2e-5: measured are 2e-6 to 7e-6 in single precision."""
    layer = new(name, 512, 512).requires_grad_(False)
    kernel = layer.kernel(2, 2)
    matrices = kernel if kernel.is_complex() else transfer(kernel, 2, 2)
    assert matrices.shape == (4, 512, 512)
    assert (matrices.mH @ matrices - torch.eye(512)).abs().max() < 2e-5


@pytest.mark.parametrize("name", [name for name in TRAINED if name in EXACT])
@pytest.mark.parametrize("channels", [64, 112])
def test_it_is_orthogonal_at_the_widths_that_blocks_have(name: str, channels: int) -> None:
    assert orthogonality_error(new(name, channels, channels), channels, 3, 4) < 1e-5


def test_layers_between_different_numbers_of_channels_are_isometries_at_200_to_1024() -> None:
    for name in ("cayley", "aoc"):
        assert orthogonality_error(new(name, 200, 1024), 200, 1, 2) < 1e-5


@pytest.mark.parametrize("name", ORTHOGONALIZATIONS)
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_the_measured_singular_values_are_those_of_the_explicit_matrix(name: str, shape: tuple[int, int]) -> None:
    layer, (height, width) = new(name, *shape), (4, 5)
    measured = singular_values(layer, shape[0], height, width).reshape(height, -1)
    # Columns 1 and 2 of the half spectrum stand for their mirror images too.
    mirrored = measured.reshape(height, 3, -1)[:, 1:].flatten()
    together = torch.cat((measured.flatten(), mirrored)).sort(descending=True).values
    expected = torch.linalg.svdvals(explicit_matrix(layer, shape[0], height, width))
    assert torch.allclose(together, expected, atol=1e-5)
    assert orthogonality_error(layer, shape[0], height, width) == pytest.approx(
        float((expected - 1).abs().max()), abs=1e-5
    )


@pytest.mark.parametrize("name", TRAINED)
def test_the_measured_matrices_are_the_transforms_of_the_kernel(name: str) -> None:
    layer = new(name, 3, 3)
    kernel = layer.kernel(3, 4)
    matrices = kernel if kernel.is_complex() else transfer(kernel, 3, 4)
    assert torch.allclose(matrices.to(torch.complex128), response(layer, 3, 3, 4), atol=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    for shape in ((2, 2), (2, 3), (3, 2)):
        layer = new(name, *shape).double()
        names = [key for key, _ in layer.named_parameters()]

        def call(x: Tensor, *weights: Tensor, layer: torch.nn.Module = layer, names: list[str] = names) -> Tensor:
            return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), x)

        x = maps(1, shape[0], 2, 3).double().requires_grad_()
        assert torch.autograd.gradcheck(call, (x, *layer.parameters()))


@pytest.mark.parametrize("name", TRAINED)
def test_the_norm_of_an_input_gradient_can_be_trained(name: str) -> None:
    """Objectives that penalise the gradient's norm differentiate twice."""
    layer = new(name, 2, 2).double()
    names = [key for key, _ in layer.named_parameters()]

    def norm(*weights: Tensor) -> Tensor:
        x = maps(1, 2, 2, 3).double().requires_grad_()
        y = torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), x)
        (gradient,) = torch.autograd.grad(y.tanh().sum(), x, create_graph=True)
        return gradient.square().sum()

    assert torch.autograd.gradcheck(norm, tuple(layer.parameters()))


@pytest.mark.parametrize("name", TRAINED)
def test_it_can_start_at_the_identity_and_leave_it(name: str) -> None:
    layer = new(name, 6, 6)
    layer.start_at_identity()
    x = maps(2, 6, 4, 5)
    assert torch.allclose(layer(x), x, atol=1e-5)
    (layer(x) * maps(2, 6, 4, 5, seed=2)).sum().backward()
    gradients = [parameter.grad for parameter in layer.parameters()]
    assert max(float(gradient.abs().max()) for gradient in gradients if gradient is not None) > 1e-2


@pytest.mark.parametrize("name", ORTHOGONALIZATIONS)
def test_it_is_circular_and_treats_each_map_of_a_batch_alone(name: str) -> None:
    layer, x = new(name, 3, 4), maps(3, 3, 5, 4)
    with torch.no_grad():
        rolled = layer(x.roll((2, 1), (2, 3)))
        assert torch.allclose(rolled, layer(x).roll((2, 1), (2, 3)), atol=1e-5)
        assert torch.allclose(layer(x), torch.cat([layer(item[None]) for item in x]), atol=1e-6)
    assert layer.padding == "circular"
    assert "circular" in repr(layer)


@pytest.mark.parametrize("name", ORTHOGONALIZATIONS)
def test_the_cost_is_known_before_the_layer_is(name: str) -> None:
    for shape in ((4, 4), (3, 6), (6, 3)):
        layer = new(name, *shape)
        cost = ORTHOGONALIZATIONS[name].cost(*shape, 3, 5, 6)
        assert cost.parameters == sum(parameter.numel() for parameter in layer.parameters())
        if name in TRAINED:
            assert cost.kernel_bytes == layer.kernel(5, 6).nbytes


def test_every_weight_exists_on_the_meta_device_too() -> None:
    for name in ORTHOGONALIZATIONS:
        with torch.device("meta"):
            layer = new(name, 4, 6)
            layer(torch.empty(2, 4, 5, 3))
        assert layer.state_dict().keys() == new(name, 4, 6).state_dict().keys()


def test_soc_is_the_exponential_in_single_and_double_precision() -> None:
    for dtype, tolerance in ((torch.complex64, 2e-5), (torch.complex128, 1e-13)):
        for size in (0.01, 1.0, 30.0):
            square = torch.randn(3, 8, 8, dtype=dtype, generator=torch.Generator().manual_seed(0))
            skew = (square - square.mH) * size / square.abs().max()
            assert (exponential(skew) - torch.matrix_exp(skew)).abs().max() < tolerance


def test_cayley_with_unit_weights_is_worked_by_hand() -> None:
    """With W = [[0, a], [-a, 0]] at the centre A = 2W, and Q turns by 2 atan(2a)."""
    layer = new("cayley", 2, 2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 0.5], [-0.5, 0.0]])[..., None, None])
        layer.alpha.copy_(layer.weight.norm())
    expected = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    assert torch.allclose(layer(torch.eye(2)[..., None, None])[..., 0, 0].mT, expected, atol=1e-6)


def test_cayley_equals_the_published_layer() -> None:
    """Parity with orthogonium 0.0.4's legacy Cayley (MIT), derived from the authors' code, on a square map."""
    pytest.importorskip("einops")
    with warnings.catch_warnings():
        # Old syntax in their docstrings, which Python complains of when it first compiles them.
        warnings.simplefilter("ignore")
        reference = pytest.importorskip("orthogonium.legacy.cayley_ortho_conv")
    for channels_in, channels_out in ((4, 4), (3, 6), (6, 3)):
        ours, x = new("cayley", channels_in, channels_out), maps(2, channels_in, 6, 6)
        theirs = reference.Cayley(channels_in, channels_out, 3, bias=False)
        with torch.no_grad():
            theirs.weight.copy_(ours.weight)
            # Their alpha is the norm of the half spectrum, on which theirs is scaled; ours is the weights' norm.
            scaled = torch.fft.rfft2(theirs.weight, (6, 6)).norm()
            theirs.alpha.copy_(scaled)
            assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_aol_equals_its_formula_on_the_explicit_matrix() -> None:
    """On a grid where no places wrap: columns of the plain kernel's matrix divided by root row sums of |M^T M|."""
    layer, plain = new("aol", 2, 3), new("plain", 2, 3)
    plain.load_state_dict(layer.state_dict())
    matrix = explicit_matrix(plain, 2, 5, 5)
    expected = matrix * (matrix.mT @ matrix).abs().sum(1).rsqrt()
    assert torch.allclose(explicit_matrix(layer, 2, 5, 5), expected, atol=1e-6)


def test_a_wrong_inverse_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right: Callable[..., torch.return_types.linalg_inv_ex] = torch.linalg.inv_ex

    def wrong(matrices: Tensor) -> torch.return_types.linalg_inv_ex:
        result = right(matrices)
        result.inverse[-1, 3, 2] += 1e-2
        return result

    layer = new("cayley", 8, 8).requires_grad_(False)
    learning = [new("cayley", *shape) for shape in ((8, 8), (8, 12), (12, 8))]
    monkeypatch.setattr(torch.linalg, "inv_ex", wrong)
    for found in (layer, *learning):
        with pytest.raises(NumericalError, match="set_num_threads"):
            found(maps(1, found.channels_in, 4, 4))


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (4, 20), (5, 5)])
def test_cayley_gives_the_same_by_its_factors_while_it_learns(shape: tuple[int, int]) -> None:
    layer = new("cayley", *shape).double()
    x = maps(3, shape[0], 5, 6).double().requires_grad_()
    learning = layer(x)
    dense = layer.convolve(layer.kernel(5, 6), x)
    assert torch.allclose(learning, dense, rtol=0, atol=1e-12)
    along = torch.randn(dense.shape, dtype=dense.dtype, generator=torch.Generator().manual_seed(1))
    wanted = [x, *layer.parameters()]
    one, other = (torch.autograd.grad((y * along).sum(), wanted) for y in (learning, dense))
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-11) for a, b in zip(one, other, strict=True))
    with torch.no_grad():
        assert torch.allclose(layer(x), learning, rtol=0, atol=1e-12)


def test_the_selfcheck_passes_here_and_fails_where_inverses_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert selfcheck.orthogonality(cpu) < 2e-5
    monkeypatch.setattr(selfcheck, "_CHANNELS", 8)
    monkeypatch.setattr(torch.linalg, "inv_ex", lambda matrices: torch.return_types.linalg_inv_ex((matrices, None)))
    monkeypatch.setattr(selfcheck, "list_cards", lambda: ())
    check = next(check for check in selfcheck.run_checks(cpu) if check.name.startswith("orthogonal"))
    assert not check.passed
    assert "set_num_threads" in check.meaning


@pytest.mark.parametrize("name", [name for name in TRAINED if name in EXACT])
def test_weights_that_are_not_finite_are_refused(name: str) -> None:
    layer = new(name, 4, 4)
    with torch.no_grad():
        next(layer.parameters()).fill_(torch.nan)
    with pytest.raises(NumericalError, match="orthonormal"):
        layer(maps(1, 4, 4, 4))


def test_columns_stay_orthonormal_for_scaled_and_rounded_weights_and_stay_what_they_are() -> None:
    weight = maps(3, 7, 4)
    q = semi_orthogonal(weight)
    assert torch.allclose(semi_orthogonal(weight * 1e-3), q, atol=1e-5)
    assert torch.allclose(semi_orthogonal(q), q, atol=1e-5)
    check_orthonormal(semi_orthogonal(weight.half().float()))
    with pytest.raises(NumericalError):
        check_orthonormal(weight)


@pytest.mark.parametrize("name", ORTHOGONALIZATIONS)
def test_nonsense_shapes_are_refused(name: str) -> None:
    kind = ORTHOGONALIZATIONS[name]
    for arguments in ((0, 3, 3), (3, 0, 3), (3, 3, 2), (3, 3, 9)):
        with pytest.raises(ConfigurationError):
            kind(*arguments)


def test_a_kernel_that_would_take_too_much_memory_is_not_built() -> None:
    layer = new("cayley", 64, 64)
    with pytest.raises(ConfigurationError, match="smaller grid"):
        layer(torch.empty(1, 64, 1, 1).expand(1, 64, 400, 400))
