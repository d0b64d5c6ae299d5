import pytest
import torch
from block_layers import EXACT, TRAINED, explicit_matrix, maps
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.blocks import (
    ORTHOGONALIZATIONS,
    VARIANTS,
    BlockSettings,
    RobustBlock,
    new_block,
    preview,
    robust_block,
    with_build_time,
)
from robustiqa_core.blocks.robust_block import averaging
from robustiqa_core.blocks.settings import Variant
from robustiqa_core.errors import ConfigurationError, InputError


def shaken(block: RobustBlock) -> RobustBlock:
    """Return the block away from its start."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    return block


def isometric(name: str, **changes: object) -> BlockSettings:
    return BlockSettings(**{"orthogonalization": name, "width": 3, "grid": 2, **changes})


@pytest.mark.parametrize("changes", [{}, {"grid": None}, {"width": 5}, {"kernel_size": 5}, {"grid": 3}])
@pytest.mark.parametrize("name", [name for name in ORTHOGONALIZATIONS if name != "plain"])
def test_an_isometric_block_keeps_what_its_convolution_keeps(name: str, changes: dict[str, object]) -> None:
    """The oracle is the explicit matrix of the whole block, on maps that the grid does not divide."""
    block = shaken(new_block(isometric(name, **changes), 5))
    for grid in ((5, 4), (2, 7)):
        values = torch.linalg.svdvals(explicit_matrix(block, 5, *grid))
        if name in EXACT:
            assert (values - 1).abs().max() < 1e-5
        else:
            assert values.max() < 1 + 1e-5
            assert values.min() < 0.9


@pytest.mark.parametrize("name", EXACT)
def test_a_blended_block_stretches_nothing_and_shortens_what_it_turns(name: str) -> None:
    block = shaken(new_block(isometric(name, blend=0.5), 5))
    whole = shaken(new_block(isometric(name), 5))
    matrix, turned = explicit_matrix(block, 5, 5, 4), explicit_matrix(whole, 5, 5, 4)
    assert torch.allclose(matrix, (torch.eye(len(turned)) + turned) / 2, atol=1e-5)
    assert torch.linalg.svdvals(matrix).max() < 1 + 1e-5
    if name in TRAINED:
        assert torch.linalg.svdvals(matrix).min() < 0.9


@pytest.mark.parametrize("name", [name for name in ORTHOGONALIZATIONS if name != "contraction"])
def test_an_isometric_block_starts_as_the_identity_and_can_leave_it(name: str) -> None:
    block, x = new_block(BlockSettings(orthogonalization=name, width=16, grid=4), 24), maps(2, 24, 7, 9)
    y = block(x)
    assert torch.allclose(y, x, atol=2e-6, rtol=1e-5)
    if name in TRAINED:
        (y * maps(2, 24, 7, 9, seed=4)).sum().backward()
        assert max(float(parameter.grad.abs().max()) for parameter in block.convolution.parameters()) > 1e-2


def test_the_control_contraction_shortens_what_the_block_works_on_and_nothing_else() -> None:
    block = new_block(isometric("contraction", width=2, factor=0.25), 5)
    values = torch.linalg.svdvals(explicit_matrix(block, 5, 4, 4))
    expected = torch.tensor([1.0] * (80 - 8) + [0.25] * 8).double()
    assert torch.allclose(values, expected, atol=1e-5)
    everything = new_block(isometric("contraction", width=5, grid=None, factor=0.25), 5)
    assert torch.allclose(everything(maps(1, 5, 4, 6)), 0.25 * maps(1, 5, 4, 6), atol=1e-6)


@pytest.mark.parametrize("name", ORTHOGONALIZATIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_any_batch_and_size_may_follow_any_other(variant: str, name: str) -> None:
    settings = BlockSettings(variant, name, width=4, grid=3)
    block = shaken(new_block(settings, 6)).eval().requires_grad_(False)
    for shape in ((1, 6, 7, 5), (3, 6, 4, 9), (2, 6, 2, 2), (1, 6, 1, 3), (1, 6, 7, 5)):
        x = maps(*shape)
        alone = shaken(new_block(settings, 6))
        assert block(x).shape == shape
        assert torch.allclose(block(x), alone(x), atol=1e-6)
        assert torch.allclose(block(x)[:1], block(x[:1]), atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_layouts_of_memory_give_the_same_and_the_layout_is_kept(variant: str) -> None:
    block = shaken(new_block(BlockSettings(variant, width=4, grid=3), 6)).eval().requires_grad_(False)
    x = maps(2, 6, 7, 5)
    last = block(x.to(memory_format=torch.channels_last))
    assert torch.allclose(last, block(x), atol=1e-5)
    if variant == "isometric":
        assert last.is_contiguous(memory_format=torch.channels_last)


def test_in_bfloat16_training_the_kernel_is_still_built_in_full_precision() -> None:
    block = shaken(new_block(isometric("aoc"), 5)).eval().requires_grad_(False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        block(maps(1, 5, 4, 4).bfloat16())
    values = torch.linalg.svdvals(explicit_matrix(block, 5, 5, 4))
    assert (values - 1).abs().max() < 1e-5


def test_the_paper_block_is_its_formula() -> None:
    block, x = new_block(BlockSettings("paper", "identity", width=2, grid=3), 4), maps(2, 4, 6, 9)
    reduced = torch.einsum("rc,nchw->nrhw", block.reduction.weight[:, :, 0, 0], x)
    reduced = reduced + block.reduction.bias[:, None, None]
    pooled = torch.nn.functional.avg_pool2d(reduced, (2, 3))
    filled = torch.cat((pooled, torch.zeros_like(pooled)), dim=1)
    expected = torch.nn.functional.interpolate(filled, (6, 9), mode="bilinear")
    assert torch.allclose(block(x), expected, atol=1e-6)


@given(st.integers(1, 60), st.data())
def test_averaging_has_orthonormal_rows_that_share_no_place(size: int, data: st.DataObject) -> None:
    cells = data.draw(st.integers(1, size))
    matrix = averaging(size, cells, torch.zeros(1, dtype=torch.float64))
    assert matrix.shape == (cells, size)
    assert torch.allclose(matrix @ matrix.mT, torch.eye(cells, dtype=torch.float64))
    assert ((matrix > 0).sum(0) == 1).all()
    counts = (matrix > 0).sum(1)
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("name", ORTHOGONALIZATIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_preview_is_what_the_built_block_has(variant: str, name: str) -> None:
    settings = BlockSettings(variant, name, width=4, grid=3)
    block = new_block(settings, 6)
    cost = preview(settings, 6, 7, 5)
    assert cost.parameters == sum(parameter.numel() for parameter in block.parameters())
    assert cost.build_seconds is None
    if name in TRAINED:
        assert cost.kernel_bytes == block.convolution.kernel(3, 3).nbytes
    assert with_build_time(cost, block.eval(), 7, 5).build_seconds >= 0


def test_the_preview_counts_operations_as_by_hand() -> None:
    """Width 2 of 4 channels on 6 x 8, 3 x 3 cells, plain 1 x 1 convolution."""
    cost = preview(BlockSettings("isometric", "plain", width=2, grid=3, kernel_size=1), 4, 6, 8)
    averages = 2 * 2 * (4 * 6 * 8 * 3 + 4 * 3 * 6 * 3)
    directions, convolution, additions = 2 * 2 * 4 * 2 * 9, 2 * 2 * 2 * 9, 2 * 2 * 9 + 4 * 6 * 8
    assert cost.flops == averages + directions + convolution + additions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "square"}, "isometric, paper"),
        ({"orthogonalization": "qr"}, "cayley, aoc"),
        ({"width": 0}, "width"),
        ({"grid": 0}, "grid"),
        ({"variant": "paper", "grid": None}, "needs a grid"),
        ({"kernel_size": 2}, "kernel_size"),
        ({"blend": 0.0}, "blend"),
        ({"factor": 1.5}, "factor"),
        ({"seed": -1}, "seed"),
    ],
)
def test_nonsense_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        BlockSettings(**changes)


def test_a_block_that_does_not_fit_is_refused_before_it_takes_memory() -> None:
    for make in (lambda settings: new_block(settings, 32), lambda settings: preview(settings, 32, 8, 8)):
        with pytest.raises(ConfigurationError, match="at most the 32 channels"):
            make(BlockSettings(width=64))
    heavy = BlockSettings("paper", "soc", width=200, grid=29)
    for make in (lambda: new_block(heavy, 1024), lambda: preview(heavy, 1024, 32, 32)):
        with pytest.raises(ConfigurationError, match="smaller grid"):
            make()


def test_settings_that_are_not_a_blocks_are_refused() -> None:
    with pytest.raises(InputError, match=r"in the card"):
        BlockSettings.from_json({"size": 3}, place="the card")


def test_the_seed_fixes_the_block_and_the_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    blocks = [new_block(BlockSettings("paper", width=2, grid=2, seed=seed), 4) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    first, same, other = (block.reduction.weight for block in blocks)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_the_printed_block_says_what_it_is() -> None:
    text = repr(new_block(BlockSettings(width=4, grid=3), 6))
    assert "isometric, cayley, 6 channels, width 4, grid 3 x 3" in text
    assert "guarantee=orthogonal" in text


@pytest.mark.parametrize("name", ["cayley", "aoc"])
@pytest.mark.parametrize(
    ("variant", "changes"),
    [
        ("paper", {}),
        ("paper", {"grid": 3, "width": 4}),
        ("paper", {"grid": 4, "kernel_size": 5}),
        ("isometric", {}),
        ("isometric", {"grid": 3, "blend": 0.5}),
        ("isometric", {"grid": None, "kernel_size": 5}),
        ("isometric", {"grid": 8}),
    ],
)
def test_as_products_of_matrices_a_block_is_what_it_is_step_by_step(
    variant: Variant, changes: dict[str, object], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = BlockSettings(**{"variant": variant, "orthogonalization": name, "width": 3, "grid": 2, **changes})
    block = shaken(new_block(settings, 6)).double().requires_grad_(False)
    block.fold()
    for size in ((5, 4), (4, 5), (2, 7), (5, 4), (11, 10)):
        x = maps(3, 6, *size).double().requires_grad_()
        along = maps(3, 6, *size, seed=2).double()
        found = []
        for most in (robust_block.MOST_NUMBERS, 0):
            monkeypatch.setattr(robust_block, "MOST_NUMBERS", most)
            y = block(x)
            found.append((y.detach(), *torch.autograd.grad((y * along).sum(), x)))
        monkeypatch.undo()
        for one, other in zip(*found, strict=True):
            assert torch.allclose(one, other, rtol=0, atol=1e-11)
        assert y.shape == x.shape


@pytest.mark.parametrize("variant", VARIANTS)
def test_large_maps_go_step_by_step(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    block = new_block(BlockSettings(variant, width=3, grid=8), 6).requires_grad_(False)
    block.fold()
    monkeypatch.setattr(robust_block, "transforms", None)
    assert block(maps(1, 6, 112, 112)).shape == (1, 6, 112, 112)
    with pytest.raises(TypeError):
        block(maps(1, 6, 14, 14))
