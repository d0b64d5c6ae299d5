"""Universal perturbations: the shelf, the attack that uses it, and training against scorers with a known optimum."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from attack_scorers import EPS, Quadratic, SmallNet, draw, linear, photos
from torch import Tensor

from robustiqa_core.attacks import UAP, Noise, complete
from robustiqa_core.attacks.universal import (
    METHODS,
    PerturbationCard,
    TrainedPerturbation,
    UniversalTraining,
    list_perturbations,
    load_perturbation,
    perturbed,
    save_perturbation,
    train_perturbation,
)
from robustiqa_core.checkpoints.storage import load_scorer
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError
from robustiqa_core.folders import CHECKPOINTS_VARIABLE, perturbations_root
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import list_samples

SIDE = 8
CARD = PerturbationCard(
    name="small-up",
    model="small",
    variant="baseline",
    method="plain",
    direction="up",
    eps=EPS,
    side=SIDE,
    photos={"00ff": "one.png"},
    settings={"epochs": 1},
    gain=0.1,
    command="robustiqa train-uap PHOTOS",
    sha256="",
    versions={"torch": "2"},
)


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Store a perturbation where the attack finds it, and return its values."""
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path))
    values = EPS * draw(5, 1, 3, SIDE, SIDE).clamp(-1.0, 1.0)
    save_perturbation(values, CARD)
    return values


def train(scorer: Any, images: list[Tensor], **settings: Any) -> TrainedPerturbation:
    *_, last = train_perturbation(scorer, images, UniversalTraining(**{"side": SIDE, "eps": EPS, **settings}))
    assert isinstance(last, TrainedPerturbation)
    return last


def singles(count: int, height: int = 12, width: int = 20) -> list[Tensor]:
    return list(photos(count, inner=True, height=height, width=width).split(1))


# The shelf


def test_what_was_saved_is_found_and_loaded(values: Tensor, tmp_path: Path) -> None:
    loaded, card = load_perturbation("small-up")
    assert torch.equal(loaded, values)
    assert card == replace(CARD, sha256=card.sha256)
    assert list_perturbations() == (card,)
    assert sorted(path.name for path in (tmp_path / "perturbations").iterdir()) == [
        "small-up.json",
        "small-up.safetensors",
    ]


def test_the_list_is_sorted_and_empty_where_there_is_no_folder(values: Tensor, tmp_path: Path) -> None:
    save_perturbation(values, replace(CARD, name="another"))
    assert [card.name for card in list_perturbations()] == ["another", "small-up"]
    assert list_perturbations(tmp_path / "nowhere") == ()


def test_an_unknown_name_lists_the_known_ones(values: Tensor) -> None:
    with pytest.raises(ConfigurationError, match="small-up; got other"):
        load_perturbation("other")


@pytest.mark.parametrize("name", ["", "../small-up", "a/b", "/etc/passwd", ".hidden", "a\nb", "x" * 101])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(ConfigurationError, match="without folder"):
        UAP(perturbation=name)
    with pytest.raises(ConfigurationError, match="without folder"):
        replace(CARD, name=name)


def test_values_that_are_missing_or_changed_are_refused(values: Tensor) -> None:
    path = perturbations_root() / "small-up.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="sha256"):
        load_perturbation("small-up")
    path.unlink()
    with pytest.raises(MissingWeightsError, match="train-uap"):
        load_perturbation("small-up")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.zeros(3, SIDE, SIDE), "tensor"),
        (torch.zeros(1, 3, SIDE, SIDE + 1), "tensor"),
        (torch.full((1, 3, SIDE, SIDE), 2 * EPS), "larger"),
        (torch.full((1, 3, SIDE, SIDE), float("nan")), "larger"),
    ],
)
def test_values_that_do_not_fit_the_card_are_not_stored(tmp_path: Path, wrong: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        save_perturbation(wrong, CARD, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_refused(values: Tensor) -> None:
    path = perturbations_root() / "small-up.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps({**card, "surprise": 1}))
    with pytest.raises(InputError, match="surprise"):
        load_perturbation("small-up")
    other = safetensors.torch.save({"weights": torch.zeros(1, 3, SIDE, SIDE)})
    (perturbations_root() / "small-up.safetensors").write_bytes(other)
    with pytest.raises(InputError, match="surprise"):
        list_perturbations()


# The attack


def test_a_configuration_needs_no_file_until_it_runs(values: Tensor) -> None:
    attack = UAP(EPS, perturbation="not-there")
    with pytest.raises(ConfigurationError, match="train-uap"):
        complete(attack, SmallNet(), photos())


@pytest.mark.parametrize("eps", [EPS / 4, EPS, 2 * EPS])
def test_the_perturbation_is_scaled_to_eps(values: Tensor, eps: float) -> None:
    images = photos(inner=True, height=SIDE, width=SIDE)
    result = complete(UAP(eps, perturbation="small-up"), SmallNet(), images)
    torch.testing.assert_close(result.adversarial, images + values * eps / EPS, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(SIDE, SIDE), (3, 5), (20, 9)])
def test_it_repeats_over_larger_photos_and_is_cut_for_smaller_ones(values: Tensor, size: tuple[int, int]) -> None:
    height, width = size
    images = photos(inner=True, height=height, width=width)
    expected = images + values[:, :, [y % SIDE for y in range(height)]][..., [x % SIDE for x in range(width)]]
    torch.testing.assert_close(perturbed(images, values), expected, rtol=0, atol=1e-7)
    result = complete(UAP(EPS, perturbation="small-up"), linear(images), images)
    torch.testing.assert_close(result.adversarial, expected, rtol=0, atol=1e-6)


def test_it_is_kept_where_it_fails_and_asks_for_no_gradient(values: Tensor) -> None:
    images = photos(1, inner=True, height=SIDE, width=SIDE)
    result = complete(UAP(EPS, perturbation="small-up"), Quadratic(-values[0].sign()), images)
    assert (result.adversarial_scores < result.clean_scores).all()
    assert (result.gradient_calls, result.queries) == (0, 3)


@pytest.mark.thorough
def test_what_the_repository_ships_loads_and_moves_held_out_photos_far_more_than_noise() -> None:
    cards = {card.name: card for card in list_perturbations()}
    scorer = load_scorer(device=choose_device("cpu"))
    samples = [read_image(sample.path) for sample in list_samples()[:3]]
    # Of the size of the photos that the patterns were trained on, all of them whole.
    held_out = [sample.images[:, :, :299, :299] for sample in samples]
    for card in (cards["linearity-baseline-plain-up"], cards["linearity-baseline-plain-down"]):
        assert not {photo.sha256 for photo in samples} & set(card.photos)
        moved, noisy = 0.0, 0.0
        for images in held_out:
            result = complete(UAP(4 / 255, perturbation=card.name), scorer, images)
            noise = complete(Noise(4 / 255), scorer, images)
            moved += (result.adversarial_scores - result.clean_scores).item()
            noisy += (noise.adversarial_scores - noise.clean_scores).abs().item()
        assert (moved if card.direction == "up" else -moved) > 3 * noisy


# The training


@pytest.mark.parametrize("method", ["plain", "cumulative"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_optimum_of_a_linear_scorer_is_found(method: str, direction: str) -> None:
    images = singles(4)
    scorer = linear(images[0])
    trained = train(scorer, images, method=method, direction=direction, epochs=8)
    # One value of the pattern stands for all pixels that lie a whole number of sides apart.
    folded = torch.zeros(3, SIDE, SIDE)
    for row in range(12):
        for column in range(20):
            folded[:, row % SIDE, column % SIDE] += scorer.weight[:, row, column]
    best = (1 if direction == "up" else -1) * EPS * folded.abs().sum().item()
    assert trained.gain == pytest.approx(best, rel=1e-3)
    torch.testing.assert_close(trained.perturbation.abs(), torch.full((1, 3, SIDE, SIDE), EPS), rtol=0, atol=1e-6)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_generator_learns(direction: str) -> None:
    images = singles(4)
    scorer = linear(images[0])
    best = train(scorer, images, epochs=3).gain
    first, later = (
        train(scorer, images, method="generative", direction=direction, epochs=epochs).gain / best for epochs in (1, 25)
    )
    sign = 1 if direction == "up" else -1
    assert sign * later > 0.75
    assert sign * later > sign * first + 0.03


@pytest.mark.parametrize("method", METHODS)
def test_the_values_stay_in_the_ball_and_training_leaves_the_rest_alone(method: str) -> None:
    images, scorer, state = singles(3), SmallNet(frozen=False), torch.get_rng_state()
    before = {name: value.clone() for name, value in scorer.state_dict().items()}
    trained = train(scorer, images, method=method, epochs=2)
    assert trained.perturbation.shape == (1, 3, SIDE, SIDE)
    assert trained.perturbation.dtype == torch.float32
    assert trained.perturbation.abs().max() <= EPS * (1 + 1e-6)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in scorer.parameters())
    assert all(torch.equal(value, before[name]) for name, value in scorer.state_dict().items())


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_all_and_the_callers_mode_nothing(method: str) -> None:
    scorer, images = SmallNet(), singles(5, 100, 110)
    first = train(scorer, images, method=method, epochs=1)
    with torch.inference_mode():
        again = train(scorer, images, method=method, epochs=1)
    other = train(scorer, images, method=method, epochs=1, seed=1)
    assert torch.equal(first.perturbation, again.perturbation)
    assert first.gain == again.gain
    assert not torch.equal(first.perturbation, other.perturbation)


@pytest.mark.parametrize("method", METHODS)
def test_held_out_photos_move_at_least_five_times_as_much_as_by_noise(method: str) -> None:
    scorer, held_out = SmallNet(), photos(8, inner=True)
    trained = train(scorer, singles(6), method=method, epochs=8)
    clean = scorer(held_out)
    moved = (scorer(perturbed(held_out, trained.perturbation)) - clean).mean()
    noise = [complete(Noise(EPS, seed=seed), scorer, held_out).adversarial_scores - clean for seed in range(5)]
    assert moved > 5 * torch.stack(noise).abs().mean()


def test_a_record_a_step_then_the_perturbation() -> None:
    *records, last = train_perturbation(SmallNet(), singles(5), UniversalTraining(side=SIDE, epochs=2))
    assert [(record.step, record.steps) for record in records] == [(step, 6) for step in range(1, 7)]
    assert records[-1].score > records[0].score
    assert isinstance(last, TrainedPerturbation)


class Watching(SmallNet):
    """Keeps what it is asked for the gradient of."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        if images.requires_grad:
            self.seen.append(images.detach())
        scores: Tensor = super().forward(images)
        return scores


def test_crops_vary_and_keep_their_share_of_the_photo_and_what_models_need() -> None:
    scorer = Watching()
    train(scorer, singles(2, 66, 120), epochs=12, smallest_crop=0.67)
    heights, widths = zip(*((images.shape[2], images.shape[3]) for images in scorer.seen), strict=True)
    assert min(heights) >= 64
    assert max(heights) <= 66
    assert min(widths) >= 81
    assert max(widths) <= 120
    assert len(set(widths)) > 8


def test_whole_photos_are_seen_as_they_are_and_in_the_mirror() -> None:
    scorer, (photo,) = Watching(), singles(1)
    train(scorer, [photo], epochs=12, smallest_crop=1.0, eps=1e-6)
    mirrored = [bool((images - photo.flip(3)).abs().max() < 1e-5) for images in scorer.seen]
    as_it_is = [bool((images - photo).abs().max() < 1e-5) for images in scorer.seen]
    assert 0 < sum(mirrored) < len(scorer.seen)
    assert sum(mirrored) + sum(as_it_is) == len(scorer.seen)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("method", "best"),
        ("direction", "away"),
        ("eps", 10),
        ("side", 0),
        ("epochs", 0),
        ("batch_size", 0),
        ("smallest_crop", 0.0),
        ("smallest_crop", 1.5),
        ("seed", -1),
    ],
)
def test_bad_settings_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        UniversalTraining(**{setting: value})


def test_photos_are_checked_before_the_training_starts() -> None:
    with pytest.raises(InputError, match="at least one"):
        train_perturbation(SmallNet(), [], UniversalTraining())
    with pytest.raises(InputError, match="divide 8-bit"):
        train_perturbation(SmallNet(), [torch.full((1, 3, 8, 8), 2.0)], UniversalTraining())
