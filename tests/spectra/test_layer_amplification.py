"""Growth of perturbations through a network: exact on linear networks, and nobody else notices the measurement."""

import math
import threading

import pytest
import torch
from torch import Tensor, nn

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.scorer import InsertionPoint, ScoreRange
from robustiqa_core.spectra import INPUT_POINT, SCORE_POINT, Growth, measure_amplification, summarise
from robustiqa_core.spectra.activations import weight_sharing_copy

RANGE = ScoreRange(-1.0, 3.0)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Chain(nn.Module):
    """Two convolutions, without bias, and a mean: linear, so that every figure has a closed form."""

    score_range = RANGE

    def __init__(self, *, first: nn.Module | None = None) -> None:
        super().__init__()
        self.first = first or nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(4, 2, 1, bias=False)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator))
        self.double().eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(images)).mean((1, 2, 3))


POINTS = (InsertionPoint("after_first", "first", 4, 2), InsertionPoint("after_second", "second", 2, 2))
PHOTOS = 0.3 + 0.4 * draw(1, 2, 3, 8, 6)
CHANGED = {"up": PHOTOS + 0.02 * draw(2, 2, 3, 8, 6), "noise": PHOTOS + 0.02 * draw(3, 2, 3, 8, 6) - 0.01}


def measure(model: nn.Module, norms: str = "all", points: tuple[InsertionPoint, ...] = POINTS) -> list[Growth]:
    return list(measure_amplification(model, points, PHOTOS, CHANGED, score_range=RANGE, norms=norms))  # type: ignore[arg-type]


def matrix(function: object) -> Tensor:
    """The explicit matrix of a linear map of one photo."""
    return torch.autograd.functional.jacobian(function, torch.zeros(3 * 8 * 6, dtype=torch.float64))  # type: ignore[no-any-return]


def test_on_a_linear_network_every_figure_is_that_of_the_explicit_matrices() -> None:
    model = Chain()
    first = matrix(lambda x: model.first(x.view(1, 3, 8, 6)).flatten())
    both = matrix(lambda x: model.second(model.first(x.view(1, 3, 8, 6))).flatten())
    score = matrix(lambda x: model(x.view(1, 3, 8, 6)))
    found = {(growth.photo, growth.point): growth for growth in measure(model)}
    assert [key for key in found if key[0] == 0] == [
        (0, name) for name in (INPUT_POINT, "after_first", "after_second", SCORE_POINT)
    ]
    for photo in range(2):
        x = PHOTOS[photo].flatten()
        for kind, changed in CHANGED.items():
            d = changed[photo].flatten() - x
            share = d.norm() / x.norm()
            grown = {
                INPUT_POINT: 1.0,
                "after_first": (first @ d).norm() / (first @ x).norm() / share,
                "after_second": (both @ d).norm() / (both @ x).norm() / share,
                SCORE_POINT: (score @ d).abs().item() / RANGE.width / share,
            }
            for name, expected in grown.items():
                assert found[photo, name].relative[kind] == pytest.approx(float(expected)), name
            assert found[photo, "after_first"].stage[kind] == pytest.approx(float((first @ d).norm() / d.norm()))
            assert found[photo, "after_second"].stage[kind] == pytest.approx(
                float((both @ d).norm() / (first @ d).norm())
            )
        one, two, end = (found[photo, name] for name in ("after_first", "after_second", SCORE_POINT))
        spectral = {name: float(torch.linalg.matrix_norm(m, 2)) for name, m in (("1", first), ("2", both))}
        assert one.stage_norm == pytest.approx(spectral["1"], rel=1e-3)
        assert one.input_norm == pytest.approx(spectral["1"], rel=1e-3)
        assert two.stage_norm == pytest.approx(
            float(torch.linalg.matrix_norm(model.second.weight[:, :, 0, 0], 2)), rel=1e-3
        )
        assert two.input_norm == pytest.approx(spectral["2"], rel=1e-3)
        assert two.input_bound == pytest.approx(float(spectral["2"] * x.norm() / (both @ x).norm()), rel=1e-3)
        assert end.input_norm == pytest.approx(float(score.norm()), rel=1e-6)
        assert end.input_bound == pytest.approx(float(score.norm() * x.norm() / RANGE.width), rel=1e-6)
        assert (one.shape, two.shape, end.shape) == ((4, 4, 3), (2, 4, 3), (1, 1, 1))
        # 4 channels of 4 x 3 for 3 of 8 x 6; then 2 for 4.
        assert (one.dimension_ratio, two.dimension_ratio, end.dimension_ratio) == (48 / 144, 0.5, None)


def test_no_perturbation_grows_more_than_the_largest_singular_values_allow() -> None:
    for growth in measure(Chain()):
        for kind in CHANGED:
            if growth.stage_norm is not None:
                assert growth.stage[kind] <= growth.stage_norm * 1.001
            if growth.input_bound is not None:
                assert growth.relative[kind] <= growth.input_bound * 1.001


def test_singular_values_are_left_out_where_they_are_not_asked_for() -> None:
    none, stage = measure(Chain(), "none"), measure(Chain(), "stage")
    assert all(growth.stage_norm is growth.input_norm is growth.input_bound is None for growth in none)
    assert [growth.stage_norm is None for growth in stage[:4]] == [True, False, False, True]
    assert all(growth.input_norm is None for growth in stage)
    for some, every in zip(none, measure(Chain(), "all"), strict=True):
        assert some.relative == pytest.approx(every.relative)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_can_be_measured_at_all_its_insertion_points(name: str) -> None:
    torch.manual_seed(0)
    kind = ARCHITECTURES[name]
    settings = {"backbone": "resnet18", "short_side": 64}
    model = kind.build(settings, ScoreRange(0.0, 1.0)).eval().requires_grad_(False)
    points = kind.insertion_points(settings)
    photo = draw(5, 1, 3, 64, 70).float()
    changed = (photo + 0.02 * draw(6, 1, 3, 64, 70).float()).clamp(0, 1)
    growths = list(
        measure_amplification(model, points, photo, {"noise": changed}, score_range=model.score_range, norms="none")
    )
    assert [growth.point for growth in growths] == [INPUT_POINT, *(point.name for point in points), SCORE_POINT]
    for growth, point in zip(growths[1:-1], points, strict=True):
        assert growth.shape[0] == point.channels
        assert 0 < growth.relative["noise"] < math.inf
        assert 0 < growth.stage["noise"] < math.inf
        assert growth.dimension_ratio is not None


def test_a_module_that_works_in_place_does_not_spoil_what_was_seen_before_it() -> None:
    class InPlace(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.clone().mul_(1.0).repeat(1, 2, 1, 1)[:, :4].contiguous()

    class Tail(Chain):
        def forward(self, images: Tensor) -> Tensor:
            features = self.first(images)
            return self.second(features.mul_(2.0)).mean((1, 2, 3))

    plain, spoiling = measure(Chain(first=InPlace())), measure(Tail(first=InPlace()))
    assert plain[1].relative == pytest.approx(spoiling[1].relative)
    assert plain[1].stage == pytest.approx(spoiling[1].stage)
    assert plain[2].stage == pytest.approx(spoiling[2].stage)


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_the_model_is_left_as_it_was_even_while_it_is_measured() -> None:
    model = Chain()
    before = {name: (value, value.clone()) for name, value in model.state_dict(keep_vars=True).items()}
    iterator = measure_amplification(model, POINTS, PHOTOS, CHANGED, score_range=RANGE, norms="all")
    for _ in range(3):
        next(iterator)
        assert hooks(model) == 0
        assert torch.is_grad_enabled()
    iterator.close()  # type: ignore[attr-defined]
    for name, value in model.state_dict(keep_vars=True).items():
        assert value is before[name][0]
        assert torch.equal(value, before[name][1])
        assert not value.requires_grad
        assert value.grad is None


def test_a_copy_shares_the_tensors_and_nothing_else() -> None:
    model = Chain()
    twin = weight_sharing_copy(model)
    assert all(a is b for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    assert not set(map(id, model.modules())) & set(map(id, twin.modules()))
    twin.first.register_forward_hook(lambda *_: None)
    assert hooks(model) == 0
    assert torch.equal(twin(PHOTOS), model(PHOTOS))


def test_a_failure_on_the_way_leaves_no_hooks() -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            raise ArithmeticError("on purpose")

    model = Chain()
    model.second = Broken()  # type: ignore[assignment]
    with pytest.raises(ArithmeticError, match="on purpose"):
        measure(model)
    assert hooks(model) == 0


def test_it_works_in_inference_mode_and_while_other_threads_use_the_model() -> None:
    model = Chain()
    expected = measure(model)
    errors: list[BaseException] = []
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            if not torch.equal(model(PHOTOS), model(PHOTOS)):
                errors.append(AssertionError("another score"))

    thread = threading.Thread(target=use)
    thread.start()
    try:
        with torch.inference_mode():
            found = measure(model)
    finally:
        stop.set()
        thread.join()
    assert not errors
    assert [growth.relative for growth in found] == [growth.relative for growth in expected]
    assert [growth.input_norm for growth in found] == [growth.input_norm for growth in expected]


def test_photos_are_summarised_by_point() -> None:
    growths = measure(Chain())
    summaries = summarise(growths)
    assert [summary.point for summary in summaries] == [INPUT_POINT, "after_first", "after_second", SCORE_POINT]
    values = [growth.relative["noise"] for growth in growths if growth.point == "after_second"]
    spread = summaries[2].relative["noise"]
    assert summaries[2].photos == 2
    assert spread.mean == pytest.approx(sum(values) / 2)
    assert spread.deviation == pytest.approx(abs(values[0] - values[1]) / math.sqrt(2))
    assert (spread.lowest, spread.highest) == (min(values), max(values))
    assert summaries[1].dimension_ratio is not None
    assert summaries[1].dimension_ratio.mean == pytest.approx(1 / 3)
    assert summaries[0].stage_norm is None
    assert summarise(growths[:4])[1].relative["up"].deviation == 0.0


def test_a_perturbation_of_nothing_has_no_growth() -> None:
    growths = list(
        measure_amplification(Chain(), POINTS, PHOTOS[:1], {"none": PHOTOS[:1]}, score_range=RANGE, norms="none")
    )
    assert all(math.isnan(growth.relative["none"]) for growth in growths)


def test_bad_input_is_refused_before_anything_runs() -> None:
    model = Chain()
    elsewhere = (InsertionPoint("nowhere", "third", 1, 1),)
    with pytest.raises(ConfigurationError, match="third"):
        measure(model, points=elsewhere)
    with pytest.raises(ConfigurationError, match="none, stage, all"):
        measure(model, "some")
    with pytest.raises(InputError, match="one changed photo for each photo"):
        measure_amplification(model, POINTS, PHOTOS, {"pgd": PHOTOS[:1]}, score_range=RANGE)
    with pytest.raises(InputError, match="eval"):
        measure(Chain().train())


def test_a_module_that_is_passed_twice_is_refused() -> None:
    class Twice(Chain):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) + super().forward(images)

    with pytest.raises(ConfigurationError, match="'first' once, got 2"):
        measure(Twice())
