import copy

import pytest
import torch

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.models import build
from robustiqa_core.models.linearity import Linearity, LinearitySettings
from robustiqa_core.models.preprocessing import fit
from robustiqa_core.scorer import ScoreRange


@pytest.fixture(scope="module")
def model() -> Linearity:
    torch.manual_seed(0)
    return Linearity().eval().requires_grad_(False)


def photos(count: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [(64, 64), (64, 200), (131, 97), (500, 384)])
def test_any_size_from_64_px_up_gets_one_finite_score_each(model: Linearity, size: tuple[int, int]) -> None:
    scores = model(photos(2, *size))
    assert scores.shape == (2,)
    assert scores.isfinite().all()


def test_a_photo_below_64_px_is_refused_with_its_size(model: Linearity) -> None:
    with pytest.raises(InputError, match="at least 64 x 64 px, got 100 x 63"):
        model(photos(1, 63, 100))


def test_a_score_does_not_depend_on_the_batch(model: Linearity) -> None:
    images = photos(3, 96, 96)
    together = model(images)
    alone = torch.cat([model(image[None]) for image in images])
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_score_is_the_published_formula(model: Linearity) -> None:
    """score = k * regression([dr6(mean(tap 6)), dr7(mean(tap 7))]) + b, computed here with plain operations."""
    scaled = copy.deepcopy(model)
    scaled.k.fill_(2.5)
    scaled.b.fill_(-0.75)
    images = photos(2, 96, 64)
    x = (images * 255 - 127) / 128
    for name, stage in model.features.named_children():
        x = stage(x)
        if name == "stage5":
            mid = x.flatten(2).mean(2)
    last = x.flatten(2).mean(2)

    def reduce(layers: torch.nn.Sequential, pooled: torch.Tensor) -> torch.Tensor:
        for linear, norm in ((layers[0], layers[1]), (layers[2], layers[3]), (layers[4], layers[5])):
            pooled = pooled @ linear.weight.T + linear.bias
            pooled = (pooled - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        return pooled.clamp(min=0)

    joined = torch.cat((reduce(model.dr6, mid), reduce(model.dr7, last)), 1)
    expected = 2.5 * (joined @ model.regression.weight.T + model.regression.bias)[:, 0] - 0.75
    assert torch.allclose(scaled(images), expected, atol=1e-5)


def test_the_gradient_reaches_every_pixel_of_a_photo_that_is_scaled_down(model: Linearity) -> None:
    images = photos(1, 500, 420).requires_grad_()
    (gradient,) = torch.autograd.grad(model(images).sum(), images)
    assert (gradient != 0).float().mean() > 0.99


def test_fit_keeps_the_aspect_and_never_enlarges() -> None:
    assert fit(photos(1, 600, 300), 200).shape == (1, 3, 400, 200)
    small = photos(1, 100, 150)
    assert fit(small, 200) is small


def test_unknown_settings_and_models_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="depth"):
        build("linearity", {"depth": 3}, ScoreRange(0, 1))
    with pytest.raises(ConfigurationError, match="linearity"):
        build("niqe", {}, ScoreRange(0, 1))
    with pytest.raises(ConfigurationError, match="short_side"):
        LinearitySettings(short_side=10)
