"""The page of ideas: its mathematics against answers that are known, and what its sliders show."""

import math
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from robustiqa_core.images.photo import decode_image
from ui.attacks.growth import SIDES, growth, growth_figure, scorer_weights
from ui.ideas.controls import KNOBS, complaints
from ui.ideas.figures import lipschitz_figure
from ui.ideas.maths import attack, cayley, circle, reach, skew, stretched, wave
from ui.ideas.pictures import grey_png
from ui.ideas.texts import QUESTIONS

APP = Path(__file__).parents[3] / "app.py"


def open_page(address: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60)
    page.switch_page("pages/ideas.py")
    for key, value in (address or {}).items():
        page.query_params[key] = value
    return page.run()


def figures(page: AppTest) -> dict[str, str]:
    assert not page.exception
    return {metric.label: metric.value for metric in page.metric}


@pytest.mark.parametrize(("x", "eps"), [(0.0, 0.2), (0.4, 0.6), (-1.1, 0.3), (1.7, 0.02)])
def test_the_reach_of_the_wave_is_that_of_a_fine_grid_and_never_leaves_the_cone(x: float, eps: float) -> None:
    inputs = np.linspace(x - eps, x + eps, 100_001)
    low, high = reach(x, 2.5, eps)
    assert (low, high) == pytest.approx((wave(inputs, 2.5).min(), wave(inputs, 2.5).max()), abs=1e-8)
    here = float(wave(x, 2.5))
    assert max(high - here, here - low) <= 2.5 * eps + 1e-12


def test_the_wave_is_as_steep_as_its_constant_says() -> None:
    inputs = np.linspace(-2.0, 2.0, 100_001)
    slopes = np.diff(wave(inputs, 3.0)) / np.diff(inputs)
    assert np.abs(slopes).max() == pytest.approx(3.0, abs=1e-6)


@pytest.mark.parametrize("degrees", [-170.0, -35.0, 0.0, 40.0, 90.0, 170.0])
def test_the_cayley_transform_turns_by_the_angle_and_keeps_every_length(degrees: float) -> None:
    turn, angle = cayley(skew(degrees)), math.radians(degrees)
    assert turn == pytest.approx(
        np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]), abs=1e-12
    )
    assert np.linalg.norm(turn @ circle(), axis=0) == pytest.approx(np.ones(181))
    assert np.linalg.svd(stretched(turn, 1.8), compute_uv=False) == pytest.approx([1.8, 1.0])


def test_the_cayley_transform_of_a_large_skew_matrix_is_orthogonal() -> None:
    values = np.random.default_rng(3).standard_normal((6, 6))
    orthogonal = cayley(values - values.T)
    assert orthogonal.T @ orthogonal == pytest.approx(np.eye(6), abs=1e-12)


@pytest.mark.parametrize("direction", ["up", "down", "away"])
def test_the_attack_moves_the_score_by_eps_times_the_sum_of_the_weights_and_noise_by_less(direction: str) -> None:
    picture = np.random.default_rng(4).uniform(0.2, 0.8, (16, 16))
    done = attack(picture, 8 / 255, direction)
    moved = done.adversarial_score - done.score
    assert moved == pytest.approx((-1 if direction == "down" else 1) * 8 / 255 * done.weights_l1)
    assert done.weights_l1 == pytest.approx(np.abs(scorer_weights(256)).sum())
    assert np.abs(done.adversarial - picture) == pytest.approx(np.full((16, 16), 8 / 255))
    assert np.abs(done.noisy - done.score).max() < abs(moved) / 3


def test_an_aimed_change_grows_with_the_root_of_the_pixels_and_a_random_one_not_at_all() -> None:
    aimed, random = growth(0.01, np.array([256.0, 1024.0]))
    assert aimed[1] / aimed[0] == pytest.approx(2.0, abs=0.1)
    assert random == pytest.approx([0.01, 0.01])


def test_a_small_picture_is_enlarged_without_smoothing() -> None:
    shown = decode_image(grey_png(np.array([[0.0, 1.0], [1.0, 0.0]]), 8)).images
    assert shown.shape == (1, 3, 8, 8)
    assert shown[0, 0, 0].tolist() == [0.0] * 4 + [1.0] * 4


def test_the_charts_name_their_axes_and_draw_the_numbers() -> None:
    chart = growth_figure(4 / 255, side=16)
    assert (chart.layout.xaxis.title.text, chart.layout.yaxis.title.text) == ("Pixels", "Score moves by")
    assert chart.data[0].y[SIDES.index(16)] == pytest.approx(4 / 255 * np.abs(scorer_weights(256)).sum())
    wave_chart = lipschitz_figure(0.2, 2.0, 0.2)
    assert wave_chart.data[-1].y[0] == pytest.approx(2 / 3 * math.sin(0.6))


def test_a_first_visit_shows_all_three_with_their_numbers() -> None:
    page = open_page()
    shown = figures(page)
    assert (shown["At most (slope × eps)"], shown["Here it can move by"]) == ("0.400", "0.376")
    assert (shown["‖x‖"], shown["‖Qx‖"], shown["‖Gx‖"]) == ("1.000", "1.000", "1.803")
    assert shown["It moves by"] == "+" + shown["By the formula"]
    assert any(r"Q^\top Q = \begin{pmatrix}1.00 & 0.00 \\ 0.00 & 1.00" in latex.value for latex in page.latex)
    assert [header.value for header in page.header] == [
        "A Lipschitz constant",
        "An orthogonal matrix",
        "An attack on a score, not on a class",
    ]


def test_the_sliders_change_the_numbers() -> None:
    page = open_page()
    page.slider(key="slope").set_value(3.0)
    page.slider(key="stretch").set_value(0.5)
    page.segmented_control(key="push").set_value("down").run()
    shown = figures(page)
    assert shown["At most (slope × eps)"] == "0.600"
    assert (shown["‖Qx‖"], shown["‖Gx‖"]) == ("1.000", f"{math.hypot(0.5 * math.cos(math.pi / 6), 0.5):.3f}")
    assert shown["It moves by"].startswith("-")
    assert "reach(0.2, 3, 0.2)" in page.code[0].value


def test_an_address_sets_the_sliders() -> None:
    shown = figures(open_page({"slope": "1.0", "eps": "0.5", "levels": "0.0"}))
    assert shown["At most (slope × eps)"] == "0.500"
    assert shown["It moves by"] == "+0.000"


def test_a_bad_address_is_named_and_the_defaults_stay() -> None:
    page = open_page({"slope": "99", "side": "7"})
    message = page.error[0].value.replace("\\", "")
    assert "slope must be a number from 0 to 4, got 99." in message
    assert "side must be one of 1, 2, 4, 8, 16, 32, got 7." in message
    assert figures(page)["At most (slope × eps)"] == "0.400"
    assert complaints({name: str(knob.start) for name, knob in KNOBS.items()}, SIDES) == ()


def test_each_question_has_its_answer_a_click_away() -> None:
    page = open_page()
    assert not page.success
    for name, question in QUESTIONS.items():
        page.radio(key=f"answer_{name}").set_value(question.right)
    page.run()
    assert [each.value for each in page.success] == [f"**Right.** {each.because}" for each in QUESTIONS.values()]
    for name, question in QUESTIONS.items():
        wrong = next(choice for choice in question.choices if choice != question.right)
        page.radio(key=f"answer_{name}").set_value(wrong)
    page.run()
    assert not page.success
    assert [each.value for each in page.info] == [
        f"**Not quite: {each.right}.** {each.because}" for each in QUESTIONS.values()
    ]
