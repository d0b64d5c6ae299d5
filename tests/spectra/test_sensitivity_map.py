"""The Fourier sensitivity map: exact on linear scorers, deterministic, the same alone and in a batch."""

import math

import pytest
import torch
from torch import Tensor

from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.spectra import SensitivityMap, SensitivitySettings, assemble, measure_sensitivity
from robustiqa_core.spectra.sensitivity import frequency_bins, waves

SETTINGS = SensitivitySettings(eps=2 / 255, grid=5, batch_size=3)


class Weighted:
    """score = <weights, image>, with a range of width 2."""

    score_range = ScoreRange(-1.0, 1.0)

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    def __call__(self, images: Tensor) -> Tensor:
        return (images * self.weights).sum((1, 2, 3))


def draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def complete(scorer: object, images: Tensor, settings: SensitivitySettings = SETTINGS) -> SensitivityMap:
    records = list(measure_sensitivity(scorer, images, settings))  # type: ignore[arg-type]
    assert [record.step for record in records] == list(range((settings.grid**2 + 1) // 2))
    assert {record.steps for record in records} == {len(records)}
    return assemble(records, grid=settings.grid, height=images.shape[2], width=images.shape[3])


@pytest.mark.parametrize(("height", "width"), [(12, 9), (7, 16)])
def test_on_a_linear_scorer_each_cell_is_the_product_of_weights_and_waves(height: int, width: int) -> None:
    weights = draw(0, 3, height, width) - 0.5
    images = 0.3 + 0.4 * draw(1, 2, 3, height, width)
    found = complete(Weighted(weights), images)
    y, x = torch.arange(height).double()[:, None], torch.arange(width).double()
    for row, vertical in enumerate(found.vertical.tolist()):
        for column, horizontal in enumerate(found.horizontal.tolist()):
            angles = 2 * math.pi * (vertical * y + horizontal * x)
            patterns = [torch.ones_like(angles)] if vertical == horizontal == 0 else [angles.cos(), angles.sin()]
            expected = 0.0
            for pattern in patterns:
                wave = (pattern / pattern.square().mean().sqrt() * SETTINGS.eps).expand(3, height, width)
                assert wave.norm().item() == pytest.approx(SETTINGS.eps * math.sqrt(3 * height * width))
                expected += (weights * wave).sum().abs().item() / len(patterns) / 2.0
            assert found.changes[:, row, column].tolist() == pytest.approx([expected] * 2, rel=1e-9)
    assert torch.allclose(found.kept, torch.ones_like(found.kept))


def test_the_waves_of_a_photo_are_orthogonal_and_of_one_length() -> None:
    like = torch.zeros(9, 14, dtype=torch.float64)
    rows, columns = frequency_bins(9, 5), frequency_bins(14, 5)
    half = [(r, c) for r in rows for c in columns if (r, c) >= (0, 0)]
    basis = torch.cat([waves(r, c, like).flatten(1) for r, c in half])
    assert len(basis) == 25
    assert torch.allclose(basis @ basis.T, 9 * 14 * torch.eye(25, dtype=torch.float64), atol=1e-9)


def test_waves_of_large_photos_keep_their_phase_in_float32() -> None:
    exact = waves(1021, -1, torch.zeros(2048, 4, dtype=torch.float64))
    assert torch.allclose(waves(1021, -1, torch.zeros(2048, 4)).double(), exact, atol=1e-5)


def test_a_low_pass_scorer_feels_coarse_waves_only() -> None:
    class LowPass:
        score_range = ScoreRange(0.0, 1.0)

        def __call__(self, images: Tensor) -> Tensor:
            coarse = torch.nn.functional.avg_pool2d(images, 8)
            return coarse.square().sum((1, 2, 3))

    found = complete(LowPass(), 0.3 + 0.4 * draw(2, 1, 3, 32, 32), SensitivitySettings(grid=7))
    middle = found.changes[0, 2:5, 2:5].mean()
    edge = torch.cat((found.changes[0, 0], found.changes[0, -1])).mean()
    assert middle > 10 * edge


def test_a_map_is_symmetric_and_the_same_on_every_run_and_in_every_batch() -> None:
    images = draw(3, 3, 3, 10, 11)
    scorer = Weighted(draw(4, 3, 10, 11))
    found = complete(scorer, images)
    assert torch.equal(found.changes, found.changes.flip((1, 2)))
    assert torch.equal(found.vertical, -found.vertical.flip(0))
    assert torch.equal(complete(scorer, images).changes, found.changes)
    alone = complete(scorer, images[1:2], SensitivitySettings(eps=2 / 255, grid=5, batch_size=1))
    assert torch.allclose(alone.changes[0], found.changes[1], rtol=1e-9)


def test_clipping_is_told() -> None:
    black = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    found = complete(Weighted(torch.ones(3, 8, 8, dtype=torch.float64)), black)
    assert found.kept.max() < 0.75


def test_a_stopped_run_leaves_the_rest_open() -> None:
    iterator = measure_sensitivity(Weighted(draw(4, 3, 10, 10)), draw(3, 1, 3, 10, 10), SETTINGS)
    found = assemble([next(iterator), next(iterator)], grid=5, height=10, width=10)
    assert torch.isfinite(found.changes[0]).sum() == 3  # frequency 0, and one more with its mirror image
    assert torch.isfinite(found.changes[0, 2, 2])


def test_gradients_of_the_caller_are_left_as_they_are() -> None:
    assert torch.is_grad_enabled()
    for record in measure_sensitivity(Weighted(draw(4, 3, 10, 10)), draw(3, 1, 3, 10, 10), SETTINGS):
        assert torch.is_grad_enabled()
        assert not record.changes.requires_grad


@pytest.mark.parametrize(
    ("words", "message"),
    [({"grid": 4}, "odd"), ({"grid": 1}, "grid"), ({"eps": 4}, "4/255"), ({"batch_size": 0}, "batch_size")],
)
def test_nonsense_is_refused(words: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SensitivitySettings(**words)


def test_small_photos_and_broken_scorers_are_refused() -> None:
    scorer = Weighted(torch.full((3, 10, 10), math.nan, dtype=torch.float64))
    with pytest.raises(InputError, match="smaller grid"):
        measure_sensitivity(scorer, torch.zeros(1, 3, 5, 9), SETTINGS)
    with pytest.raises(NumericalError, match="finite scores"):
        next(measure_sensitivity(scorer, draw(3, 1, 3, 10, 10), SETTINGS))
    with pytest.raises(InputError, match="at least one"):
        assemble([], grid=5, height=10, width=10)
