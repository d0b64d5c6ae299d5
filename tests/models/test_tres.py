"""TReS: contract of a Scorer, crops, pooling, transformer. Parity with the paper: test_importers."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.models.backbones import BACKBONES
from robustiqa_core.models.transformer import Attention, position_encoding
from robustiqa_core.models.tres import HANNING, TReS, TReSSettings, average, crop_positions, l2_pool


def photos(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def made(settings: TReSSettings | None = None) -> TReS:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TReS(settings).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network() -> TReS:
    return made()


@pytest.fixture(scope="module")
def network_of_crops() -> TReS:
    return made(TReSSettings(short_side=256, crops=2))


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (224, 224), (300, 130)])
@pytest.mark.parametrize("rule", ["network", "network_of_crops"])
def test_any_size_gives_a_finite_score_of_each_image_alone(
    rule: str, size: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    scorer: TReS = request.getfixturevalue(rule)
    images = photos(3, *size)
    scores = scorer(images)
    alone = torch.cat([scorer(image[None]) for image in images])
    assert scores.shape == (3,)
    assert scores.isfinite().all()
    assert scores.unique().numel() == 3
    torch.testing.assert_close(scores, alone, atol=1e-6, rtol=1e-5)


def test_scoring_draws_no_random_numbers(network_of_crops: TReS) -> None:
    images = photos(1, 250, 300)
    before = torch.get_rng_state()
    first, second = network_of_crops(images), network_of_crops(images)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.thorough
def test_crops_are_averaged(network: TReS, network_of_crops: TReS) -> None:
    images = photos(2, 256, 300)
    corners = [images[:, :, y : y + 224, x : x + 224] for y in (0, 32) for x in (0, 76)]
    expected = sum(network(corner) for corner in corners) / 4
    torch.testing.assert_close(network_of_crops(images), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [64, 224, 225, 226, 384, 1000])
def test_crops_lie_inside_and_reach_both_edges(size: int, count: int) -> None:
    starts = crop_positions(size, count)
    assert len(set(starts)) == len(starts) <= count
    assert all(0 <= start <= max(size - 224, 0) for start in starts)
    if count > 1:
        assert {0, max(size - 224, 0)} == {starts[0], starts[-1]}
    else:
        assert abs(2 * starts[0] + min(size, 224) - size) <= 1


# The transformers of the larger trunks are wide (ResNet50: 600 MB) and differ in nothing but the width.
@pytest.mark.thorough
@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18"])
def test_gradient_agrees_with_finite_differences(name: str) -> None:
    scorer = made(TReSSettings(name)).double()
    images = (0.1 + 0.8 * photos(1, 64, 64)).double().requires_grad_()
    (gradient,) = torch.autograd.grad(scorer.predictions(images).sum(), images)
    step = 1e-6 * gradient / gradient.norm()
    change = scorer.predictions(images + step) - scorer.predictions(images - step)
    assert change.item() / 2e-6 == pytest.approx(gradient.norm().item(), rel=1e-2)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("crops", [0, 2])
def test_runs_on_the_meta_device(name: str, crops: int) -> None:
    with torch.device("meta"):
        scorer = TReS(TReSSettings(name, crops=crops)).eval()
    assert scorer(torch.rand(2, 3, 250, 100, device="meta")).shape == (2,)


def test_has_no_tensors_besides_its_state(network: TReS) -> None:
    with torch.device("meta"):
        scorer = TReS().eval()
    scorer.load_state_dict(network.state_dict(), assign=True)
    images = photos(1, 100, 70)
    assert torch.equal(scorer(images), network(images))


def test_the_last_place_for_a_block_is_after_the_transformer() -> None:
    assert TReS.insertion_points(TReSSettings())[-1].name == "after_encoder"


def test_taps_are_the_last_stages_of_the_four_coarsest_strides() -> None:
    with torch.device("meta"):
        taps = {name: [stage.name for stage in TReS(TReSSettings(name)).taps] for name in BACKBONES}
    assert taps.pop("efficientnet_lite0") == ["stage2", "stage3", "stage5", "stage7"]
    assert taps.pop("vgg16") == ["stage2", "stage3", "stage4", "stage5"]
    assert set(map(tuple, taps.values())) == {("layer1", "layer2", "layer3", "layer4")}


def test_outputs_are_those_of_the_whole_photo_and_of_its_mirror_image(network_of_crops: TReS, network: TReS) -> None:
    images = photos(2, 250, 160)
    outputs = network_of_crops.outputs(images)
    mirrored = network_of_crops.outputs(images.flip(3))
    torch.testing.assert_close(outputs.predictions[:, 0], network(images))
    assert outputs.attended.shape == (2, 496, 8, 5)
    assert outputs.deepest.shape == mirrored.deepest.shape == (2, 320, 8, 5)
    assert not torch.allclose(outputs.deepest, mirrored.deepest)


def test_training_mode_drops_features_and_scoring_does_not() -> None:
    scorer = made()
    images = photos(1, 64, 64)
    torch.manual_seed(0)
    scorer.train()
    drawn = torch.stack([scorer.outputs(images).attended for _ in range(2)])
    assert not torch.equal(drawn[0], drawn[1])
    scorer.eval()
    assert torch.equal(scorer.outputs(images).attended, scorer.outputs(images).attended)


def test_l2_pooling_is_the_windowed_root_mean_square() -> None:
    window = np.hanning(5)[1:-1]
    np.testing.assert_allclose(HANNING, window / window.sum())
    x = torch.randn(1, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    padded = np.pad(x[0, 1].numpy().astype(float) ** 2, 1)
    weights = np.outer(window, window) / window.sum() ** 2
    expected = [[(weights * padded[y : y + 3, c : c + 3]).sum() ** 0.5 for c in range(5)] for y in range(4)]
    np.testing.assert_allclose(l2_pool(x)[0, 1], expected, rtol=1e-5)


def test_l2_pooling_has_a_finite_gradient_at_zero() -> None:
    x = torch.zeros(1, 1, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(l2_pool(x).sum(), x)
    assert torch.equal(gradient, torch.zeros_like(x))


def test_grid_averages_squares_and_cuts_the_last_ones() -> None:
    x = torch.arange(5.0).expand(1, 1, 2, 5)
    assert average(x, 2).flatten().tolist() == [0.5, 2.5, 4.0]
    assert average(x, 1) is x


def test_positions_of_two_places_differ_and_span_the_circle_at_any_grid() -> None:
    code = position_encoding(8, 3, 4, torch.zeros(1))
    assert code.shape == (8, 3, 4)
    assert code.flatten(1).unique(dim=1).shape[1] == 12
    # The first wave of the rows ends its turn on the last row, whatever their number.
    for rows in (1, 3, 12):
        last = position_encoding(8, rows, 2, torch.zeros(1))[:2, -1, 0]
        torch.testing.assert_close(last, torch.tensor([0.0, 1.0]), atol=1e-4, rtol=0)


def test_attention_equals_that_of_torch_and_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    ours = Attention(32).eval()
    theirs = nn.MultiheadAttention(32, 16, batch_first=True).eval()
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.inward.weight,
            "in_proj_bias": ours.inward.bias,
            "out_proj.weight": ours.outward.weight,
            "out_proj.bias": ours.outward.bias,
        }
    )
    x, positions = torch.randn(2, 6, 32, requires_grad=True), torch.randn(6, 32)
    y = ours(x, positions)
    torch.testing.assert_close(y, theirs(x + positions, x + positions, x)[0], atol=1e-6, rtol=1e-5)
    (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    assert second.isfinite().all()
    assert second.abs().max() > 0


@pytest.mark.parametrize(
    "changes", [{"backbone": "resnet"}, {"short_side": 32}, {"short_side": 1025}, {"crops": -1}, {"crops": 17}]
)
def test_wrong_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        TReSSettings(**changes)


def test_images_below_the_smallest_size_are_refused(network: TReS) -> None:
    with pytest.raises(InputError, match="at least 64 x 64 px, got 80 x 63"):
        network(photos(1, 63, 80))
