"""DBCNN and S-CNN: contract of a Scorer, square roots, places for blocks. Parity with the paper: test_importers."""

import pytest
import torch
from torch import Tensor

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.models.backbones import BACKBONES
from robustiqa_core.models.dbcnn import DBCNN, SQUARE_ROOTS, DBCNNSettings, published_square_root, signed_square_root
from robustiqa_core.models.scnn import SCNN, SCNN_STAGES


def photos(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network() -> DBCNN:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DBCNN().eval().requires_grad_(False)


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (224, 224), (300, 130)])
def test_any_size_gives_a_finite_score_of_each_image_alone(network: DBCNN, size: tuple[int, int]) -> None:
    images = photos(3, *size)
    scores = network(images)
    alone = torch.cat([network(image[None]) for image in images])
    assert scores.shape == (3,)
    assert scores.isfinite().all()
    assert scores.unique().numel() == 3
    torch.testing.assert_close(scores, alone, atol=1e-6, rtol=1e-5)


def test_scores_are_the_mapped_predictions(network: DBCNN) -> None:
    images = photos(2, 64, 80)
    raw = network.predictions(images)
    assert raw.shape == (2, 1)
    torch.testing.assert_close(network(images), raw[:, 0])
    network.k.fill_(-2.0), network.b.fill_(3.0)
    mapped = network(images)
    network.k.fill_(1.0), network.b.fill_(0.0)
    torch.testing.assert_close(mapped, 3.0 - 2.0 * raw[:, 0])


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18"])
def test_gradient_agrees_with_finite_differences(name: str) -> None:
    torch.manual_seed(1)
    scorer = DBCNN(DBCNNSettings(name, short_side=64)).double().eval().requires_grad_(False)
    images = (0.1 + 0.8 * photos(1, 64, 64)).double().requires_grad_()
    (gradient,) = torch.autograd.grad(scorer.predictions(images).sum(), images)
    step = 1e-6 * gradient / gradient.norm()
    change = scorer.predictions(images + step) - scorer.predictions(images - step)
    assert change.item() / 2e-6 == pytest.approx(gradient.norm().item(), rel=1e-2)


@pytest.mark.parametrize("name", BACKBONES)
def test_runs_on_the_meta_device_and_fills_from_its_state(name: str) -> None:
    with torch.device("meta"):
        scorer = DBCNN(DBCNNSettings(name)).eval()
    assert scorer(torch.rand(2, 3, 100, 70, device="meta")).shape == (2,)
    scorer.load_state_dict(
        {key: torch.zeros_like(value, device="cpu") for key, value in scorer.state_dict().items()}, assign=True
    )
    assert not any(tensor.is_meta for tensor in (*scorer.parameters(), *scorer.buffers()))


def test_a_block_can_go_into_both_branches() -> None:
    points = DBCNN.insertion_points(DBCNNSettings())
    assert [point.name for point in points][-9:] == [f"after_scnn{n}" for n in range(1, 10)]
    assert points[0].module.startswith("features.")


def test_each_branch_sees_the_normalisation_that_it_was_trained_with(network: DBCNN) -> None:
    seen: dict[str, Tensor] = {}
    handles = [
        module.register_forward_pre_hook(lambda _, args, name=name: seen.update({name: args[0]}))
        for name, module in (("features", network.features), ("scnn", network.scnn))
    ]
    network(torch.full((1, 3, 64, 64), 0.5))
    for handle in handles:
        handle.remove()
    lite = torch.full((3,), (0.5 * 255 - 127) / 128)
    imagenet = torch.tensor([(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225])
    torch.testing.assert_close(seen["features"][0, :, 5, 7], lite)
    torch.testing.assert_close(seen["scnn"][0, :, 5, 7], imagenet)


@pytest.mark.thorough
def test_products_have_length_one_and_are_the_mean_outer_product() -> None:
    # At 64 px and stride 16 both grids are 4 x 4, so that nothing is resampled.
    torch.manual_seed(2)
    scorer = DBCNN(DBCNNSettings("vgg16")).eval().requires_grad_(False)
    content: list[Tensor] = []
    scorer.features.register_forward_hook(lambda _, __, out: content.append(out))
    scorer.scnn.register_forward_hook(lambda _, __, out: content.append(out))
    products = scorer.products(photos(2, 64, 64))
    a, s = content
    expected = torch.stack(
        [sum(torch.outer(a[n, :, y, x], s[n, :, y, x]) for y in range(4) for x in range(4)) for n in (0, 1)]
    )
    expected = signed_square_root(expected / 16).flatten(1)
    torch.testing.assert_close(products.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(products, expected / expected.norm(dim=1, keepdim=True), atol=1e-6, rtol=1e-4)


def test_signed_root_is_odd_increasing_bounded_in_slope_and_a_root_away_from_zero() -> None:
    x = torch.linspace(-1, 1, 4001, dtype=torch.float64, requires_grad=True)
    y = signed_square_root(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(y, -y.flip(0))
    assert (slope > 0).all()
    assert slope.max().item() == pytest.approx(1e-3**-0.5)
    far = x.abs() > 0.05
    torch.testing.assert_close(y[far], (x.sign() * x.abs().sqrt())[far], atol=0, rtol=1e-3)


def test_published_root_has_the_steep_slope_that_its_docstring_states() -> None:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(published_square_root(x).sum(), x)
    assert slope.item() == pytest.approx(5000)


def test_published_root_is_refused_where_products_can_be_negative() -> None:
    with pytest.raises(ConfigurationError, match=r"ends in a ReLU.*efficientnet_lite0.*'signed'"):
        DBCNNSettings("efficientnet_lite0", square_root="published")
    for name in set(BACKBONES) - {"efficientnet_lite0"}:
        assert DBCNNSettings(name, square_root="published").square_root == "published"


@pytest.mark.parametrize("changes", [{"backbone": "vgg17"}, {"short_side": 32}, {"square_root": "cube"}])
def test_wrong_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        DBCNNSettings(**changes)


def test_images_below_the_smallest_size_are_refused(network: DBCNN) -> None:
    with pytest.raises(InputError, match="at least 64 x 64 px, got 80 x 63"):
        network(photos(1, 63, 80))


def test_square_root_names_are_those_of_the_settings() -> None:
    assert {name: DBCNNSettings("vgg16", square_root=name).square_root for name in SQUARE_ROOTS} == {
        "published": "published",
        "signed": "signed",
    }


def test_scnn_grids_follow_its_stages_and_it_tells_39_classes_at_any_size() -> None:
    torch.manual_seed(3)
    network = SCNN().eval().requires_grad_(False)
    images = photos(2, 128, 64)
    x = network.preprocessing(images)
    for stage, module in zip(SCNN_STAGES, network.features, strict=True):
        x = module(x)
        assert x.shape == (2, stage.channels, 128 // stage.stride, 64 // stage.stride)
    assert network(images).shape == (2, 39)
    assert network(photos(1, 99, 301)).isfinite().all()
