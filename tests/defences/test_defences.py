"""What every defence promises, and what each one does: against Pillow, SciPy, finite differences and closed forms."""

import dataclasses
import io
import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor, nn

from robustiqa_core.attacks import PGD, complete
from robustiqa_core.attacks.objective import score_gradient
from robustiqa_core.defences import (
    DEFENCES,
    JPEG,
    Defence,
    MedianBlur,
    MedianSmoothing,
    Resize,
    defend,
    max_radius,
    parse_defence,
    spell_defence,
)
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.images.photo import to_8bit
from robustiqa_core.scorer import ScoreRange

EACH = pytest.mark.parametrize(
    "defence",
    [*(kind() for kind in DEFENCES.values()), MedianSmoothing(0.1, samples=5, gradient="median", chunk=4)],
    ids=spell_defence,
)


class Linear(nn.Module):
    """score = <weight, images>."""

    score_range = ScoreRange(-1.0, 2.0)

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        assert images.min() >= 0.0, "a defence left [0, 1]"
        assert images.max() <= 1.0, "a defence left [0, 1]"
        return (images * self.weight).sum((1, 2, 3))


class Net(Linear):
    """A smooth, wavy function of the photo."""

    def forward(self, images: Tensor) -> Tensor:
        edges = F.conv2d(images, self.weight)
        return torch.sin(3.0 * edges).mean((1, 2, 3)) + F.silu(edges).square().mean((1, 2, 3))


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def photos(count: int = 3, side: int = 24) -> Tensor:
    """Return smooth photos with flat black and white parts, in whole grey levels."""
    coarse = torch.rand(count, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(count))
    smooth = F.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    return (1.4 * smooth - 0.2).clamp(0.0, 1.0).mul(255).round() / 255


def net(seed: int = 0) -> Net:
    return Net(draw(seed, 6, 3, 3, 3))


@EACH
def test_scores_are_independent_of_the_batch_and_repeat_to_the_bit(defence: Defence) -> None:
    scorer, images = defence.wrap(net()), photos()
    together = scorer(images)
    assert torch.equal(scorer(images), together)
    torch.testing.assert_close(torch.cat([scorer(image[None]) for image in images]), together, rtol=0, atol=1e-6)


@EACH
def test_attacks_find_a_gradient_and_leave_no_trace(defence: Defence) -> None:
    scorer = net()
    before = torch.get_rng_state()
    _, gradient = score_gradient(defence.wrap(scorer), photos())
    assert gradient.abs().amax((1, 2, 3)).min() > 0
    assert torch.equal(torch.get_rng_state(), before)
    assert not scorer.training
    assert all(parameter.grad is None for parameter in scorer.parameters())


@EACH
def test_the_wrapped_model_keeps_its_range_and_its_mode(defence: Defence) -> None:
    scorer = net()
    assert defence.wrap(scorer).score_range == scorer.score_range
    scorer.train()
    with pytest.raises(InputError, match="training mode"):
        complete(PGD(), defence.wrap(scorer), photos())
    assert scorer.training


@EACH
def test_a_defence_survives_its_text(defence: Defence) -> None:
    assert parse_defence(spell_defence(defence)) == defence


@EACH
def test_double_precision_is_kept(defence: Defence) -> None:
    assert defence.wrap(net().double())(photos().double()).dtype == torch.float64


@pytest.mark.parametrize(
    "text",
    [
        *("mist", "jpeg:size=3", "jpeg:quality=high", "jpeg:quality=0", "jpeg:quality=96", "median_blur:size=4"),
        *("resize:scale=0", "resize:scale=1/0"),
        *("smoothing:sigma=2", "smoothing:gradient=none", "smoothing:samples=0"),
    ],
)
def test_what_no_defence_takes_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_defence(text)


def test_a_photo_passes_the_first_of_several_defences_first() -> None:
    images = photos()
    both = defend(net(), [JPEG(20), Resize(0.5)])
    assert torch.equal(both(images), net()(Resize(0.5).purify(JPEG(20).purify(images))))


@pytest.mark.parametrize("quality", [10, 75, 95])
def test_jpeg_is_pillows_to_the_bit_and_passes_the_gradient_on(quality: int) -> None:
    images = photos().requires_grad_()
    purified = JPEG(quality).purify(images)
    for image, found in zip(images, purified, strict=True):
        file = io.BytesIO()
        Image.fromarray(to_8bit(image).permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        assert torch.equal(to_8bit(found).permute(1, 2, 0), torch.from_numpy(np.array(Image.open(file))))
        assert torch.equal(found, to_8bit(found) / 255.0)
    weight = draw(1, *images.shape)
    (gradient,) = torch.autograd.grad((purified * weight).sum(), images)
    assert torch.equal(gradient, weight)


@pytest.mark.parametrize("size", [3, 5])
def test_the_median_blur_is_scipys(size: int) -> None:
    images = photos()
    wanted = ndimage.median_filter(images.numpy(), size=(1, 1, size, size), mode="mirror")
    assert torch.equal(MedianBlur(size).purify(images), torch.from_numpy(wanted))


def test_resizing_keeps_constants_and_takes_the_finest_pattern_away() -> None:
    flat = torch.full((1, 3, 24, 32), 1.0)
    assert torch.equal(Resize(0.5).purify(flat), flat)
    board = torch.arange(24)[:, None].add(torch.arange(32)).remainder(2).float().expand(1, 3, 24, 32)
    inner = Resize(0.5).purify(board)[..., 4:-4, 4:-4]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5), rtol=0, atol=1e-6)
    assert torch.equal(Resize(1.0).purify(board), board)


@pytest.mark.parametrize(
    "defence",
    [Resize(0.6), MedianBlur(3), MedianSmoothing(0.05, samples=7, gradient="median"), MedianSmoothing(0.05, samples=1)],
    ids=spell_defence,
)
def test_the_gradient_agrees_with_finite_differences_where_it_is_the_true_one(defence: Defence) -> None:
    scorer = defence.wrap(net().double())
    images = 0.1 + 0.8 * photos().double() + 1e-3 * torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(9))
    _, gradient = score_gradient(scorer, images)
    for seed in range(3):
        direction = draw(seed, 1, 3, 24, 24).double()
        slope = (scorer(images + 1e-9 * direction) - scorer(images - 1e-9 * direction)) / 2e-9
        torch.testing.assert_close((gradient * direction).sum((1, 2, 3)), slope, rtol=1e-4, atol=1e-5)


def test_the_mean_gradient_is_that_of_the_mean_over_the_same_draws() -> None:
    images, scorer = photos(2), net()
    smoothed = MedianSmoothing(0.05, samples=6, seed=3, chunk=4).wrap(scorer)
    _, gradient = score_gradient(smoothed, images)
    generator = torch.Generator().manual_seed(3)
    noise = [0.05 * torch.randn(3, 24, 24, generator=generator) for _ in range(6)]
    wanted = sum(score_gradient(lambda x, z=z: scorer((x + z).clamp(0, 1)), images)[1] for z in noise)
    torch.testing.assert_close(gradient, wanted / 6, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("samples", [4, 5])
def test_the_smoothed_score_is_the_median_over_the_draws_whatever_the_chunk(samples: int) -> None:
    images, scorer = photos(2), net()
    generator = torch.Generator().manual_seed(0)
    noise = [0.1 * torch.randn(3, 24, 24, generator=generator) for _ in range(samples)]
    wanted = np.median([scorer((images + z).clamp(0, 1)).numpy() for z in noise], axis=0)
    for chunk in (1, 3, 100):
        found = MedianSmoothing(0.1, samples=samples, chunk=chunk).wrap(scorer)(images)
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)


def linear_case(sigma: float) -> tuple[Linear, Tensor, float]:
    """Return a linear scorer, a photo that noise hardly takes out of [0, 1], and the length of the weights."""
    weight = draw(5, 3, 8, 8).double()
    photo = 0.5 + 0.1 * torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    assert sigma * 6 < 0.4
    return Linear(weight), photo, float(weight.norm())


def test_the_certificate_of_a_linear_score_is_the_known_one() -> None:
    sigma, radius, samples = 0.05, 0.03, 4000
    scorer, photo, length = linear_case(sigma)
    smoothed = MedianSmoothing(sigma).wrap(scorer)
    lower, upper = smoothed.certify(photo, radius, samples=samples, confidence=0.9999)
    # The scores are normal with deviation sigma * length, so that the bounds of infinitely many draws are exact.
    exact_lower, exact_upper = scorer(photo) - radius * length, scorer(photo) + radius * length
    share = NormalDist().cdf(-radius / sigma)
    density = NormalDist().pdf(radius / sigma) / (sigma * length)
    slack = 9 * math.sqrt(share * (1 - share) / samples) / density
    assert exact_lower - slack < lower < exact_lower
    assert exact_upper < upper < exact_upper + slack


@pytest.mark.thorough
def test_a_certificate_holds_with_its_confidence() -> None:
    sigma, radius = 0.05, 0.05
    scorer, photo, length = linear_case(sigma)
    smoothed = MedianSmoothing(sigma).wrap(scorer)
    bounds = [smoothed.certify(photo, radius, samples=100, confidence=0.8, seed=seed) for seed in range(1, 301)]
    truth = scorer(photo) - radius * length, scorer(photo) + radius * length
    held = sum(bool(lower <= truth[0]) and bool(upper >= truth[1]) for lower, upper in bounds) / len(bounds)
    # Order statistics are discrete: the confidence is at least what was asked for, and not far above it.
    assert 0.75 < held < 0.95


def test_an_attack_with_fresh_draws_stays_within_the_certificate() -> None:
    images, sigma = photos(2), 0.1
    budget = 0.5 / 255
    radius = budget * math.sqrt(images[0].numel())
    smoothed = MedianSmoothing(sigma, samples=15).wrap(net())
    lower, upper = smoothed.certify(images, radius, samples=500)
    assert torch.isfinite(lower).all() and torch.isfinite(upper).all()
    attacked = complete(PGD(budget, norm="l2"), smoothed, images).adversarial
    fresh = MedianSmoothing(sigma, samples=999, seed=77).wrap(net())(attacked)
    assert (lower <= fresh).all() and (fresh <= upper).all()


def test_more_samples_and_a_smaller_radius_give_tighter_bounds() -> None:
    smoothed, image = MedianSmoothing(0.1).wrap(net()), photos(1)
    wide, fewer, narrow = (
        (upper - lower).item()
        for lower, upper in (
            smoothed.certify(image, radius, samples=samples)
            for radius, samples in ((0.1, 1000), (0.1, 200), (0.01, 1000))
        )
    )
    assert narrow < wide < fewer


def test_what_so_few_samples_cannot_certify_is_infinite() -> None:
    smoothed, image = MedianSmoothing(0.1).wrap(net()), photos(1)
    limit = max_radius(0.1, samples=50)
    lower, upper = smoothed.certify(image, 0.99 * limit, samples=50)
    assert torch.isfinite(lower).all() and torch.isfinite(upper).all()
    lower, upper = smoothed.certify(image, 1.01 * limit, samples=50)
    assert lower.item() == -math.inf and upper.item() == math.inf


def test_a_certificate_from_the_noise_of_the_scores_or_without_sense_is_refused() -> None:
    smoothed = MedianSmoothing(0.1, seed=4).wrap(net())
    for settings in ({"seed": 4}, {"confidence": 1.0}, {"samples": 0}):
        with pytest.raises(ConfigurationError):
            smoothed.certify(photos(1), 0.1, **settings)
    with pytest.raises(ConfigurationError):
        smoothed.certify(photos(1), 0.0)


@pytest.mark.parametrize(
    "defence",
    [JPEG(30), Resize(0.4), MedianBlur(5), MedianSmoothing(0.15, samples=9)],
    ids=lambda defence: type(defence).__name__,
)
def test_an_attack_through_the_defence_beats_one_that_ignores_it(defence: Defence) -> None:
    images, attack = photos(), PGD(8 / 255, steps=10)
    defended = defence.wrap(net())
    adaptive = complete(attack, defended, images)
    ignorant = defended(complete(attack, net(), images).adversarial)
    gains = adaptive.adversarial_scores - adaptive.clean_scores
    assert gains.mean() > 1.05 * (ignorant - adaptive.clean_scores).mean()


def test_every_setting_of_a_defence_has_a_default() -> None:
    fields = [field for kind in DEFENCES.values() for field in dataclasses.fields(kind)]
    assert fields
    assert all(field.default is not dataclasses.MISSING for field in fields)
