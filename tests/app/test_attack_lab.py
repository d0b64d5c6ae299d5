"""The attack lab in each of its states, on a tiny scorer: first visit, running, done, failed, cancelled, bad upload."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, SLOPE, Gate, TinyScorer

from robustiqa_core.attacks import ATTACKS, PGD
from robustiqa_core.errors import NumericalError
from robustiqa_core.images import decode_image
from robustiqa_core.jobs import OUT_OF_MEMORY
from robustiqa_core.samples import list_samples
from ui import cache, live, state, verdict
from ui.attack_job import Outcome
from ui.attack_texts import TEXTS
from ui.lab_job import LabOutcome

APP = Path(__file__).parents[2] / "app.py"
PAGE = APP.parent / "pages" / "attack_lab.py"
TIMEOUT = 60.0
FIRST, SECOND = list_samples()[:2]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[TinyScorer], None]:
    """Return what puts a scorer in the place of the bundled model."""
    monkeypatch.setattr(cache, "cards", lambda: {CARD.stem: CARD})

    def use_scorer(scorer: TinyScorer) -> None:
        monkeypatch.setattr(cache, "scorer", lambda model, variant: scorer)

    use_scorer(TinyScorer())
    return use_scorer


@pytest.fixture
def lab(use: Callable[[TinyScorer], None]) -> AppTest:
    return AppTest.from_file(PAGE, default_timeout=TIMEOUT)


@pytest.fixture
def gate(use: Callable[[TinyScorer], None]) -> Iterator[Gate]:
    """Put a scorer in place that stops in the fourth step of the attack, and open it at the end."""
    stop = Gate(calls=5)
    use(TinyScorer(before_call=stop))
    yield stop
    stop.open()


def finish(lab: AppTest) -> AppTest:
    """Run the page, wait for the job that this starts, and let the page take note of its end."""
    before = shown(lab)
    lab.run()
    job = lab.session_state[state.LAB].active or shown(lab)
    assert job not in (None, before), "a job was to be started"
    assert not cache.jobs().wait(job, timeout=TIMEOUT).active
    return lab.run()


def shown(lab: AppTest) -> str | None:
    return lab.session_state[state.LAB].shown if state.LAB in lab.session_state else None


def outcome(lab: AppTest) -> Outcome:
    result = cache.jobs().result(lab.session_state[state.LAB].shown)
    assert isinstance(result, LabOutcome)
    return result.first


def command(lab: AppTest) -> str:
    """Return the command line that the page shows for the run."""
    return next(str(code.value) for code in lab.code if code.value.startswith("robustiqa attack"))


def headline(lab: AppTest) -> str:
    assert not lab.exception
    return str(lab.header[0].value)


def labels(lab: AppTest) -> list[str]:
    return [button.label for button in lab.button]


def lose(job: str) -> None:
    """Drop a job as the end of its visit does."""
    cache.jobs().forget(cache.jobs()._jobs[job].owner)


def png(size: tuple[int, int] = (96, 80)) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(file, "PNG")
    return file.getvalue()


def test_a_first_visit_runs_the_default_attack_without_being_asked(lab: AppTest) -> None:
    finish(lab)
    report = outcome(lab).report
    assert (report.attack, report.settings["eps"], report.settings["steps"]) == ("pgd", 4 / 255, 10)
    assert report.image == f"assets/samples/{FIRST.path.name}"
    assert report.rounded_score - report.clean_score == pytest.approx(SLOPE * 4 / 255, rel=0.05)
    assert headline(lab).startswith(verdict.appearance(report.psnr, report.ssim))
    assert headline(lab).endswith(f", but its score rose from {report.clean_score:.3f} to {report.rounded_score:.3f}.")


def test_the_next_drawing_of_the_page_does_not_run_the_attack_again(lab: AppTest) -> None:
    finish(lab)
    shown = lab.session_state[state.LAB].shown
    lab.run()
    assert (lab.session_state[state.LAB].active, lab.session_state[state.LAB].shown) == (None, shown)


def test_all_figures_are_shown_with_their_units(lab: AppTest) -> None:
    finish(lab)
    report = outcome(lab).report
    shown = {metric.label: metric.value for metric in lab.metric}
    assert shown == {
        "Largest change (l∞)": f"{255 * report.rounded_linf:.1f}/255",
        "Total change (l2)": f"{report.rounded_l2:.2f}",
        "PSNR": f"{report.psnr:.1f} dB",
        "SSIM": f"{report.ssim:.4f}",
        "Gradient calls": "10",
        "Time": f"{report.seconds:.2f} s",
    }


def test_the_downloads_are_the_stored_png_and_the_run_as_json(lab: AppTest) -> None:
    finish(lab)
    result = outcome(lab)
    stored, numbers, clean = (button.proto for button in lab.download_button)
    assert [button.label for button in lab.download_button] == [
        "Adversarial photo (PNG)",
        "Numbers (JSON)",
        "Clean photo (PNG)",
    ]
    assert stored.url.endswith(".png")
    assert numbers.url.endswith(".json")
    assert clean.url.endswith(".png")
    adversarial = decode_image(result.adversarial_png).images
    original = decode_image(result.clean_png).images
    assert torch.equal(original, cache.sample_photo(FIRST.name).images)
    assert float((adversarial - original).abs().max()) == pytest.approx(result.report.rounded_linf)
    assert float(TinyScorer()(adversarial)) == pytest.approx(result.report.rounded_score, abs=1e-6)
    assert json.loads(json.dumps(result.report.to_json()))["rounded_score"] == result.report.rounded_score


def test_the_command_on_the_page_is_that_of_the_run(lab: AppTest) -> None:
    finish(lab)
    assert command(lab) == outcome(lab).report.command
    assert command(lab).startswith(f"robustiqa attack assets/samples/{FIRST.path.name} --model linearity")
    assert "--eps 4/255 --norm linf --direction up --steps 10" in command(lab)


def test_a_running_attack_shows_its_progress_and_the_curve_so_far(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    lab.run()
    assert not lab.exception
    assert "Cancel" in labels(lab)
    points = cache.jobs().snapshot(lab.session_state[state.LAB].active).trace
    first, newest = points[0], points[-1]
    assert newest.step in (2, 3), "the gate stops the attack in the middle"
    assert lab.get("progress")[0].text.startswith(
        f"Step {newest.step} of 10. Score {first.score:.3f} → {newest.best_score:.3f}"
    )
    assert len(lab.image) == 2, "the photo and the curve so far"
    assert not lab.header, "there is no result yet"


def test_cancel_takes_effect_within_a_step_and_says_so(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    lab.run()
    job = lab.session_state[state.LAB].active
    before = cache.jobs().snapshot(job)
    lab.button(key=state.CANCEL).click().run()
    gate.open()
    assert lab.info[0].value == f"Cancelled after step {before.trace[-1].step}."
    assert "Cancel" not in labels(lab)
    assert cache.jobs().snapshot(job).records == before.records, "not one more"


def test_the_previous_result_stays_after_a_cancelled_run(lab: AppTest, use: Callable[[TinyScorer], None]) -> None:
    finish(lab)
    before = headline(lab)
    stop = Gate(calls=3)
    use(TinyScorer(before_call=stop))
    lab.select_slider(key=state.PRESET).set_value(8.0).run()
    lab.button(key=state.RUN).click().run()
    assert stop.waiting.wait(TIMEOUT)
    lab.button(key=state.CANCEL).click().run()
    stop.open()
    assert headline(lab) == before
    assert lab.info[0].value.startswith("Cancelled")


def test_waiting_behind_others_is_shown_with_the_place_in_the_queue(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    other = AppTest.from_file(PAGE, default_timeout=TIMEOUT).run()
    assert other.get("progress")[0].text == "Waiting: one attack is ahead of yours."
    gate.open()
    finish_again = [visit.session_state[state.LAB].active for visit in (lab, other)]
    for job in finish_again:
        assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    assert headline(lab.run()) == headline(other.run())


def test_two_visits_with_different_settings_do_not_disturb_each_other(lab: AppTest) -> None:
    other = AppTest.from_file(PAGE, default_timeout=TIMEOUT)
    other.query_params["direction"] = "down"
    other.query_params["attack"] = "pgd"
    lab.run()
    finish(other)
    lab.run()
    assert "rose" in headline(lab)
    assert "fell" in headline(other)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NumericalError("a score is not finite; look for a root of 0"), "A score is not finite"),
        (torch.OutOfMemoryError("CUDA out of memory"), OUT_OF_MEMORY),
        (ZeroDivisionError("a bug"), "unexpected error"),
    ],
    ids=["numerical", "memory", "bug"],
)
def test_a_failed_attack_is_explained(
    lab: AppTest, use: Callable[[TinyScorer], None], error: Exception, text: str
) -> None:
    def fail() -> None:
        raise error

    use(TinyScorer(before_call=fail))
    finish(lab)
    assert not lab.exception
    message = lab.error[0].value.replace("\\", "")
    assert message.startswith("The attack failed.")
    assert text in message
    assert state.RUN in [button.key for button in lab.button]


def test_an_attack_without_effect_is_called_that(lab: AppTest, use: Callable[[TinyScorer], None]) -> None:
    use(TinyScorer(slope=1e-4))
    finish(lab)
    assert headline(lab) == "The attack had no effect: the score stayed at 0.500."


def test_changed_controls_do_not_run_by_themselves_and_the_page_says_that_they_differ(lab: AppTest) -> None:
    finish(lab)
    before = headline(lab)
    lab.select_slider(key=state.PRESET).set_value(8.0).run()
    assert headline(lab) == before
    assert "The controls have changed since this run" in lab.info[0].value
    lab.button(key=state.RUN).click()
    finish(lab)
    assert not lab.info
    assert outcome(lab).report.settings["eps"] == 8 / 255


def test_fine_settings_reach_the_attack(lab: AppTest) -> None:
    finish(lab)
    lab.number_input(key=state.EPS_LEVELS).set_value(3.0)
    lab.number_input(key=state.STEP_LEVELS).set_value(1.0)
    lab.number_input(key=state.SEED).set_value(7)
    lab.selectbox(key=state.NORM).set_value("l2")
    lab.checkbox(key=state.RANDOM_START).uncheck()
    lab.select_slider(key=state.STEPS).set_value(5)
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).report.settings == {
        "eps": 3 / 255,
        "step_size": 1 / 255,
        "steps": 5,
        "norm": "l2",
        "direction": "up",
        "target": None,
        "random_start": False,
        "seed": 7,
    }
    assert lab.select_slider(key=state.PRESET).value == 3.0, "the strength has one value, wherever it is set"


@pytest.mark.parametrize("attack", ["fgsm", "noise"])
def test_each_attack_can_be_chosen_and_has_only_its_own_settings(lab: AppTest, attack: str) -> None:
    finish(lab)
    lab.select_slider(key=state.STEPS).set_value(5)
    lab.selectbox(key=state.ATTACK).set_value(attack).run()
    assert "Steps" not in [slider.label for slider in lab.select_slider]
    assert ("The score" in [choice.label for choice in lab.segmented_control]) == (attack == "fgsm")
    assert ("Seed" in [number.label for number in lab.number_input]) == (attack == "noise")
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).report.attack == attack
    assert f"--attack {attack}" in command(lab)


def test_another_attack_keeps_the_strength_and_the_direction_and_brings_its_own_number_of_steps(lab: AppTest) -> None:
    finish(lab)
    lab.select_slider(key=state.STEPS).set_value(5)
    lab.select_slider(key=state.PRESET).set_value(8.0)
    lab.segmented_control(key=state.DIRECTION).set_value("down").run()
    lab.selectbox(key=state.ATTACK).set_value("noise").run()
    lab.selectbox(key=state.ATTACK).set_value("pgd").run()
    assert lab.select_slider(key=state.STEPS).value == PGD().steps
    assert lab.select_slider(key=state.PRESET).value == 8.0
    assert lab.segmented_control(key=state.DIRECTION).value == "down"


def test_a_target_score_is_asked_for_only_where_it_counts_and_is_reached(lab: AppTest) -> None:
    finish(lab)
    assert "Target score" not in [number.label for number in lab.number_input]
    lab.segmented_control(key=state.DIRECTION).set_value("towards").run()
    lab.number_input(key=state.TARGET).set_value(0.6)
    lab.button(key=state.RUN).click()
    finish(lab)
    report = outcome(lab).report
    assert report.settings["target"] == 0.6
    assert report.adversarial_score == pytest.approx(0.6, abs=0.02)
    assert "was to bring the score to 0.600" in lab.markdown[1].value


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_has_words_and_widgets_that_make_it(lab: AppTest, name: str) -> None:
    assert name in TEXTS
    finish(lab)
    lab.selectbox(key=state.ATTACK).set_value(name).run()
    assert not lab.exception
    assert not lab.error


def test_the_address_names_the_view_and_opens_it_again_with_the_same_numbers(lab: AppTest) -> None:
    finish(lab)
    lab.button(key="next_0").click()
    finish(lab)
    lab.select_slider(key=state.PRESET).set_value(2.0)
    lab.segmented_control(key=state.DIRECTION).set_value("down")
    lab.button(key=state.RUN).click()
    finish(lab)
    address = dict(lab.query_params)
    assert (address["photo"], address["eps"], address["direction"]) == (SECOND.name, "2/255", "down")

    elsewhere = AppTest.from_file(PAGE, default_timeout=TIMEOUT)
    for key, value in address.items():
        elsewhere.query_params[key] = value
    finish(elsewhere)
    assert headline(elsewhere) == headline(lab)
    assert outcome(elsewhere).adversarial_png == outcome(lab).adversarial_png


@pytest.mark.parametrize(
    "address",
    [
        {"attack": "pgd", "eps": "8"},
        {"attack": "pgd", "eps": "0.001/255"},
        {"attack": "pgd", "steps": "many"},
        {"attack": "pgd", "steps": "100000"},
        {"attack": "pgd", "seed": str(2**60)},
        {"attack": "pgd", "norm": "l7"},
        {"attack": "<b>magic</b>"},
    ],
    ids=lambda address: ",".join(f"{key}={value}" for key, value in address.items()),
)
def test_an_address_that_makes_no_sense_ends_in_the_default_view_and_a_sentence(
    lab: AppTest, address: dict[str, str]
) -> None:
    for key, value in address.items():
        lab.query_params[key] = value
    lab.run()
    assert not lab.exception
    assert lab.error[0].value.startswith("The address could not be followed")
    finish_default = lab.session_state[state.LAB].active
    assert cache.jobs().wait(finish_default, timeout=TIMEOUT).state == "done"
    lab.run()
    assert outcome(lab).report.settings["eps"] == 4 / 255


def test_unknown_photos_and_models_in_an_address_give_the_defaults(lab: AppTest) -> None:
    lab.query_params["photo"] = "../../etc/passwd"
    lab.query_params["model"] = "nothing"
    finish(lab)
    assert outcome(lab).recipe.photo.name == FIRST.name


def test_an_upload_is_attacked_at_its_size(lab: AppTest) -> None:
    finish(lab)
    lab.file_uploader[0].upload("my *photo*.png", png((96, 80)), "image/png")
    lab.run()
    assert "The controls have changed" in lab.info[0].value
    lab.button(key=state.RUN).click()
    finish(lab)
    result = outcome(lab)
    assert (result.recipe.photo.source, result.size) == ("upload", (96, 80))
    assert "'my *photo*.png'" in command(lab)
    assert "photo" not in lab.query_params, "an address cannot carry an upload"
    assert any("96 × 80 px" in caption.value for caption in lab.caption)


def test_a_large_upload_is_worked_on_at_the_chosen_size_and_the_command_says_so(lab: AppTest) -> None:
    finish(lab)
    lab.file_uploader[0].upload("large.png", png((1000, 500)), "image/png")
    lab.run()
    assert any("Reduced from 1000 x 500 to 512 x 256 px." in caption.value for caption in lab.caption)
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).size == (512, 256)
    assert "--max-side 512" in command(lab)
    lab.selectbox(key=state.MAX_SIDE).set_value(1024)
    lab.button(key=state.RUN).click()
    finish(lab)
    assert outcome(lab).size == (1000, 500)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", png()[:200], b"%PDF-1.7 not a photo"], ids=["empty", "gif", "truncated", "pdf"]
)
def test_a_bad_upload_is_refused_with_the_reason_and_the_previous_result_stays(lab: AppTest, data: bytes) -> None:
    finish(lab)
    before = headline(lab)
    lab.file_uploader[0].upload("holiday.png", data, "image/png")
    lab.run()
    assert not lab.exception
    message = lab.error[0].value.replace("\\", "")
    assert message.startswith("**holiday.png cannot be used.** Expected")
    assert headline(lab) == before
    assert lab.button(key=state.RUN).disabled
    lab.file_uploader[0].clear()
    lab.run()
    assert not lab.error
    assert not lab.button(key=state.RUN).disabled


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


def test_a_result_that_is_no_longer_kept_is_computed_again(lab: AppTest) -> None:
    finish(lab)
    before = headline(lab)
    lose(lab.session_state[state.LAB].shown)
    finish(lab)
    assert headline(lab) == before


def test_a_lost_connection_during_a_run_ends_in_a_sentence(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    lose(lab.session_state[state.LAB].active)
    lab.run()
    assert not lab.exception
    assert "connection was lost" in lab.info[0].value
    assert "Cancel" not in labels(lab)


def test_a_run_that_takes_long_is_announced_before_it_starts(lab: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(lab)
    assert not lab.warning
    monkeypatch.setattr(
        live, "LONG_SECONDS", 2 * live.estimate_seconds(outcome(lab).report, done=10, steps=10, pixels=0)
    )
    lab.select_slider(key=state.STEPS).set_value(20).run()
    assert not lab.warning
    lab.select_slider(key=state.STEPS).set_value(50).run()
    assert "may take up to" in lab.warning[0].value


def test_without_any_model_the_page_says_what_to_do(lab: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "cards", dict)
    lab.run()
    assert not lab.exception
    assert "no models" in lab.error[0].value


def test_the_visit_remembers_ids_and_settings_but_no_tensors(lab: AppTest) -> None:
    finish(lab)
    lab.file_uploader[0].upload("mine.png", png(), "image/png")
    lab.button(key=state.RUN).click()
    finish(lab)
    for key in lab.session_state.keys():  # noqa: SIM118  (AppTest's session state has no plain iteration over names)
        assert "Tensor" not in type(lab.session_state[key]).__name__
    remembered = lab.session_state[state.LAB]
    assert "tensor" not in repr(remembered)


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
