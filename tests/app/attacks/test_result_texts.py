"""What the page says about a result is true, and figures and pictures show what was computed."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.attacks import FGSM, PGD, Noise
from robustiqa_core.evaluation.report import AttackReport
from robustiqa_core.images.photo import decode_image, encode_png, round_to_8bit
from robustiqa_core.scorer import ScoreRange
from ui.attacks.figures import score_curve
from ui.attacks.job import CurvePoint
from ui.attacks.verdict import explanation, headline
from ui.lab.suggestions import suggestions
from ui.shell.components.score_meter import MeterScale
from ui.shell.figures import amplified_png
from ui.shell.markdown import plain

BAND = ScoreRange(0.1, 0.9)
REPORT = AttackReport(
    model="linearity",
    variant="baseline",
    image="cat.png",
    image_sha256="",
    width=4,
    height=3,
    attack="pgd",
    settings={"eps": 4 / 255, "direction": "up"},
    device="cpu",
    threads=2,
    clean_score=0.41,
    adversarial_score=0.88,
    rounded_score=0.87,
    linf=4 / 255,
    l2=1.0,
    rounded_linf=4 / 255,
    rounded_l2=1.0,
    psnr=38.0,
    ssim=0.97,
    gradient_calls=10,
    queries=3,
    seconds=1.0,
    command="",
)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "The photo looks the same, but its score rose from 0.410 to 0.870 (PGD 4/255, 10 steps)."),
        (
            {"rounded_score": 0.2},
            "The photo looks the same, but its score fell from 0.410 to 0.200 (PGD 4/255, 10 steps).",
        ),
        (
            {"ssim": 0.92},
            "The photo looks almost the same, but its score rose from 0.410 to 0.870 (PGD 4/255, 10 steps).",
        ),
        (
            {"psnr": 31.0},
            "The photo looks almost the same, but its score rose from 0.410 to 0.870 (PGD 4/255, 10 steps).",
        ),
        ({"psnr": 22.0}, "The photo is visibly changed, and its score rose from 0.410 to 0.870 (PGD 4/255, 10 steps)."),
        (
            {"attack": "noise", "settings": {"eps": 8 / 255}},
            "Random noise of this size moved the score from 0.410 to 0.870 (Noise 8/255).",
        ),
        ({"rounded_score": 0.4105}, "The attack had no effect: the score stayed at 0.410 (PGD 4/255, 10 steps)."),
        (
            {"rounded_score": 0.4105, "attack": "noise", "settings": {}},
            "Random noise had no effect: the score stayed at 0.410 (Noise 4/255).",
        ),
    ],
)
def test_the_headline_says_what_happened(changes: dict[str, object], sentence: str) -> None:
    assert headline(replace(REPORT, **changes)) == sentence  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({}, "57% of its usual range"),
        ({"rounded_score": 1.2}, "scored so high"),
        ({"rounded_score": -0.2, "settings": {"direction": "down"}}, "scored so low"),
        ({"rounded_score": 0.4105}, "the model withstands"),
        ({"attack": "noise", "settings": {}}, "Noise is blind to the model"),
        ({"rounded_score": 0.3}, "the wrong direction"),
        ({"rounded_score": 0.3, "settings": {"direction": "down"}}, "14% of its usual range"),
    ],
)
def test_the_explanation_puts_the_change_into_proportion(changes: dict[str, object], part: str) -> None:
    assert part in explanation(replace(REPORT, **changes), BAND)  # type: ignore[arg-type]


@pytest.mark.parametrize("gain", [1, 5, 20])
def test_the_amplified_perturbation_is_the_signed_difference_of_the_stored_images(gain: int) -> None:
    clean = round_to_8bit(torch.full((3, 4, 5), 0.5))
    adversarial = clean.clone()
    adversarial[0, 0, 0] += 4 / 255
    adversarial[1, 2, 3] -= 4 / 255
    shown = decode_image(amplified_png(encode_png(clean), encode_png(adversarial), gain)).images[0]
    expected = round_to_8bit((0.5 + gain * (adversarial - clean)).clamp(0, 1))
    assert (shown - expected).abs().max() < 1.01 / 255
    assert shown[0, 0, 0] > shown[0, 1, 1] > shown[1, 2, 3]


def test_the_curve_shows_every_step_and_the_clean_score() -> None:
    points = [CurvePoint(None, 0.4, 0.4), CurvePoint(0, 0.35, 0.4), CurvePoint(1, 0.7, 0.7), CurvePoint(2, 0.6, 0.7)]
    clean, best = score_curve(points, steps=10, score_range=BAND).data
    assert list(clean.y) == [0.4, 0.4]
    assert (list(best.x), list(best.y), list(best.customdata)) == ([0, 1, 2], [0.4, 0.7, 0.7], [0.35, 0.7, 0.6])


def test_the_curve_can_be_drawn_before_the_first_step() -> None:
    assert len(score_curve([], steps=10, score_range=BAND).data) == 2


@given(*[st.floats(-3, 3)] * 2)
def test_all_places_of_the_meter_lie_on_its_axis_in_the_order_of_the_scores(clean: float, adversarial: float) -> None:
    scale = MeterScale(low=0.1, high=0.9, clean=clean, adversarial=adversarial)
    places = scale.places()
    assert min(places.values()) == 0.0
    assert max(places.values()) == 1.0
    scores = {"low": 0.1, "high": 0.9, "clean": clean, "adversarial": adversarial}
    ordered = sorted(scores, key=lambda name: scores[name])
    assert [places[name] for name in ordered] == sorted(places.values())


@pytest.mark.parametrize("attack", [PGD(), PGD(direction="down", norm="l2"), FGSM(), Noise()], ids=repr)
@pytest.mark.parametrize("photo", ["a", "c", "my own.jpg"])
def test_each_suggestion_changes_one_thing(attack: PGD | FGSM | Noise, photo: str) -> None:
    samples = ["a", "b", "c"]
    found = suggestions(attack, photo, samples)
    assert len({suggestion.label for suggestion in found}) == len(found) >= 3
    for suggestion in found:
        assert (suggestion.attack is None) != (suggestion.photo is None)
        assert suggestion.attack != attack
        assert suggestion.photo is None or (suggestion.photo in samples and suggestion.photo != photo)


@pytest.mark.parametrize("text", ["![x](http://x/y.png)", "**bold** $x$ :smile: <b>", "a\n# heading", "plain name 1"])
def test_names_of_files_are_never_read_as_markdown(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    assert shown.replace("\\", "") == " ".join(text.split())
    for place, sign in enumerate(shown):
        assert sign.isalnum() or sign in " \\" or shown[place - 1] == "\\"
