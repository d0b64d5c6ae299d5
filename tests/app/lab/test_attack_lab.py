"""The attack lab with one model: the first visit, its result in figures, files and a command, what it remembers."""

import json
import re
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import pytest
import streamlit as st
import torch
from job_pages import TIMEOUT, png
from lab_pages import FIRST, SECOND, command, finish, headline, lose, outcome
from streamlit.testing.v1 import AppTest
from tiny_scorer import SLOPE, TinyScorer

from robustiqa_core.images.photo import decode_image
from robustiqa_core.metrics.fidelity import ssim
from ui.attacks import verdict
from ui.lab import session
from ui.photos import cache as photo_cache
from ui.shell import cache, state

APP = Path(__file__).parents[3] / "app.py"


def test_a_first_visit_runs_the_default_attack_without_being_asked(lab: AppTest) -> None:
    finish(lab)
    report = outcome(lab).report
    assert (report.attack, report.settings["eps"], report.settings["steps"]) == ("pgd", 4 / 255, 10)
    assert report.image == f"assets/samples/{FIRST.path.name}"
    assert report.rounded_score - report.clean_score == pytest.approx(SLOPE * 4 / 255, rel=0.05)
    assert headline(lab).startswith(verdict.appearance(report.psnr, report.ssim))
    rose = f", but its score rose from {report.clean_score:.3f} to {report.rounded_score:.3f}"
    assert headline(lab).endswith(f"{rose} (PGD 4/255, 10 steps).")


def test_the_next_drawing_of_the_page_does_not_run_the_attack_again(lab: AppTest) -> None:
    finish(lab)
    shown = lab.session_state[session.JOBS].shown
    lab.run()
    assert (lab.session_state[session.JOBS].active, lab.session_state[session.JOBS].shown) == (None, shown)


def test_all_figures_are_those_of_the_stored_files_with_their_units(lab: AppTest) -> None:
    finish(lab)
    result = outcome(lab)
    clean, adversarial = (decode_image(data).images.double() for data in (result.clean_png, result.adversarial_png))
    squares = (adversarial - clean).square()
    shown = {metric.label: metric.value for metric in lab.metric}
    assert re.fullmatch(r"\d+\.\d\d s", shown.pop("Time"))
    assert shown == {
        "Largest change (l∞)": "4.0/255",
        "Total change (l2)": f"{squares.sum().sqrt():.2f}",
        "PSNR": f"{-10 * squares.mean().log10():.1f} dB",
        "SSIM": f"{ssim(clean, adversarial).item():.4f}",
        "Gradient calls": "10",
    }


@pytest.mark.thorough
def test_the_downloads_are_the_stored_png_and_the_run_as_json(lab: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: dict[str, Any] = {}
    draw = st.download_button

    def noting(label: str, data: Any, *arguments: Any, **settings: Any) -> bool:
        handed[label] = data
        return draw(label, data, *arguments, **settings)

    monkeypatch.setattr(st, "download_button", noting)
    finish(lab)
    endings = [PurePath(button.proto.url).suffix for button in lab.download_button]
    assert list(zip(handed, endings, strict=True)) == [
        ("Adversarial photo (PNG)", ".png"),
        ("Numbers (JSON)", ".json"),
        ("Clean photo (PNG)", ".png"),
    ]
    adversarial = decode_image(handed["Adversarial photo (PNG)"]).images
    original = decode_image(handed["Clean photo (PNG)"]).images
    assert torch.equal(original, photo_cache.sample_photo(FIRST.name).images)
    numbers = json.loads(handed["Numbers (JSON)"])
    assert numbers["rounded_linf"] == pytest.approx(float((adversarial - original).abs().max()))
    assert numbers["rounded_score"] == pytest.approx(float(TinyScorer()(adversarial)), abs=1e-6)
    assert numbers["clean_score"] == pytest.approx(float(TinyScorer()(original)), abs=1e-6)


def test_the_command_on_the_page_is_that_of_the_run(lab: AppTest) -> None:
    finish(lab)
    assert command(lab) == outcome(lab).report.command
    assert command(lab).startswith(f"robustiqa attack assets/samples/{FIRST.path.name} --model linearity")
    assert "--eps 4/255 --norm linf --direction up --steps 10" in command(lab)


def test_an_attack_without_effect_is_called_that(lab: AppTest, use: Callable[[TinyScorer], None]) -> None:
    use(TinyScorer(slope=1e-4))
    finish(lab)
    assert headline(lab) == "The attack had no effect: the score stayed at 0.500 (PGD 4/255, 10 steps)."


@pytest.mark.thorough
def test_every_suggestion_runs(lab: AppTest) -> None:
    finish(lab)
    seen = set()
    for number in (1, 2, 1, 3, 0):
        label = lab.button(key=f"next_{number}").label
        lab.button(key=f"next_{number}").click()
        finish(lab)
        assert not lab.exception
        seen.add((label, outcome(lab).report.attack, outcome(lab).report.settings.get("direction")))
    assert {("Lower the score", "pgd", "down"), ("Only random noise", "noise", None)} <= seen
    assert outcome(lab).recipe.photo.name == SECOND.name


@pytest.mark.thorough
def test_a_result_that_is_no_longer_kept_is_computed_again(lab: AppTest) -> None:
    finish(lab)
    before = headline(lab)
    lose(lab.session_state[session.JOBS].shown)
    finish(lab)
    assert headline(lab) == before


def test_without_any_model_the_page_says_what_to_do(lab: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "cards", dict)
    lab.run()
    assert not lab.exception
    assert "no models" in lab.error[0].value


@pytest.mark.thorough
def test_the_visit_remembers_ids_and_settings_but_no_tensors(lab: AppTest) -> None:
    finish(lab)
    lab.file_uploader[0].upload("mine.png", png(), "image/png")
    lab.button(key=state.RUN).click()
    finish(lab)
    for key in lab.session_state.keys():  # noqa: SIM118  (AppTest's session state has no plain iteration over names)
        assert "Tensor" not in type(lab.session_state[key]).__name__
    remembered = lab.session_state[session.JOBS]
    assert "tensor" not in repr(remembered)


@pytest.mark.thorough
@pytest.mark.usefixtures("use")
def test_the_settings_survive_a_visit_to_another_page() -> None:
    lab = AppTest.from_file(APP, default_timeout=TIMEOUT).run().switch_page("pages/attack_lab.py")
    finish(lab)
    before = headline(lab)
    lab.select_slider(key=state.PRESET).set_value(16.0).run()
    lab.switch_page("pages/how_it_works.py").run()
    assert lab.title[0].value == "How it works"
    lab.switch_page("pages/attack_lab.py").run()
    assert headline(lab) == before
    assert lab.select_slider(key=state.PRESET).value == 16.0
