"""The attack lab with two models, several photos, presets and all strengths: states, numbers and addresses."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from job_pages import png
from lab_pages import found
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, SLOPE, TinyScorer, card_of_its_own

from robustiqa_core.attacks import PGD, StAdv
from robustiqa_core.images.photo import decode_image
from robustiqa_core.images.samples import list_samples
from robustiqa_core.scorer import ScoreRange
from ui.attacks.batch_job import BatchOutcome
from ui.attacks.presets import PRESETS
from ui.lab import session
from ui.lab.sweep_job import STRENGTHS, SweepOutcome
from ui.shell import cache, state

pytestmark = pytest.mark.thorough

PAGE = Path(__file__).parents[3] / "pages" / "attack_lab.py"
TIMEOUT = 60.0
HARDENED = dataclasses.replace(
    CARD, variant="hardened", score_range=ScoreRange(0.25, 0.75), hardening={"spread": 1.0, "agreement": {"srocc": 1.0}}
)
SAMPLES = list_samples()


class Stripes(TinyScorer):
    """A linear scorer like `TinyScorer`, with signs that agree with the checkerboard's in half of the rows."""

    score_range = HARDENED.score_range

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return scores (N,)."""
        rows, columns = (torch.arange(size) for size in images.shape[-2:])
        signs = 1.0 - 2.0 * ((rows[:, None] * (rows[:, None] % 4 < 2) + columns[None, :]) % 2)
        return 0.5 + self.slope * ((images - 0.5) * signs).mean((1, 2, 3))


SCORERS: dict[str, TinyScorer] = {"baseline": TinyScorer(), "hardened": Stripes(slope=SLOPE / 4)}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Return the page with a baseline and a hardened version of it, a quarter as steep."""
    first = card_of_its_own()
    monkeypatch.setattr(cache, "cards", lambda: {CARD.stem: first, HARDENED.stem: HARDENED})
    monkeypatch.setattr(cache, "scorer", lambda model, variant: SCORERS[variant])
    page = AppTest.from_file(PAGE, default_timeout=TIMEOUT)
    page.query_params["attack"] = "fgsm"
    return page


def finish(lab: AppTest, jobs: Callable[[AppTest], state.PageJobs[object]] | None = None) -> AppTest:
    """Draw the page, wait for the job that this starts, and draw it again."""
    lab.run()
    job = (jobs or (lambda page: page.session_state[session.JOBS]))(lab).active
    assert job is not None, "a job was to be started"
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    lab.run()
    assert not lab.exception
    return lab


def sweep_jobs(lab: AppTest) -> state.PageJobs[object]:
    found: state.PageJobs[object] = lab.session_state[f"{session.LAB_SET}sweep_jobs"]
    return found


def outcome(lab: AppTest) -> BatchOutcome:
    result = found(str(lab.session_state[session.JOBS].shown))
    assert isinstance(result, BatchOutcome)
    return result


def text(lab: AppTest) -> str:
    parts = [*lab.markdown, *lab.caption, *lab.header, *lab.info, *lab.warning, *lab.error]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def test_a_baseline_is_compared_with_its_hardened_version_without_being_asked(lab: AppTest) -> None:
    finish(lab)
    assert outcome(lab).recipe.models == (("linearity", "baseline"), ("linearity", "hardened"))
    # A linear scorer moves by slope * eps, and the hardened one's range is half as wide: 31 % and 16 % of it.
    assert lab.header[0].value.startswith("FGSM 4/255: Linearity baseline moves by +3")
    assert "Linearity hardened by +1" in lab.header[0].value
    assert "Pushed up, Linearity hardened moves 2.0 times less than Linearity baseline. It was not pushed down" in (
        text(lab)
    )
    assert dict(lab.query_params)["against"] == "linearity-hardened"


@pytest.mark.parametrize("agreement", [0.9499, 0.5, None])
@pytest.mark.parametrize("alone", [False, True])
def test_a_model_that_rates_photos_otherwise_is_called_that_before_anything_else_and_never_praised(
    lab: AppTest, monkeypatch: pytest.MonkeyPatch, agreement: float | None, alone: bool
) -> None:
    broken = dataclasses.replace(
        card_of_its_own(HARDENED), hardening={"spread": 1.0, "agreement": {"srocc": agreement}}
    )
    first = cache.cards()[CARD.stem]
    monkeypatch.setattr(cache, "cards", lambda: {CARD.stem: first, broken.stem: broken})
    if alone:
        lab.query_params["variant"], lab.query_params["model"] = "hardened", "linearity"
        lab.query_params["against"] = "none"
    finish(lab)
    assert re.match(r"Linearity,? hardened no longer rates photos as before: ", lab.header[0].value.replace("\\", ""))
    assert "times less" not in text(lab)


def test_less_movement_of_a_model_of_unknown_agreement_is_not_praised(
    lab: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = dataclasses.replace(HARDENED, hardening={"spread": 1.0})
    first = cache.cards()[CARD.stem]
    monkeypatch.setattr(cache, "cards", lambda: {CARD.stem: first, unknown.stem: unknown})
    finish(lab)
    assert "moves 2.0 times less than Linearity baseline, but whether it rates photos as its baseline does was not" in (
        text(lab)
    )


def test_the_table_says_what_each_model_gives_to_each_stored_photo(lab: AppTest) -> None:
    finish(lab)
    (photo,) = outcome(lab).photos
    for made, run in enumerate(photo.runs):
        stored = decode_image(run.adversarial_png).images
        for seen, scorer in enumerate(SCORERS.values()):
            assert photo.crossed[made][seen] == pytest.approx(float(scorer(stored)), abs=1e-6)
    table = next(str(part.value) for part in lab.markdown if str(part.value).startswith("| The photo"))
    rows = table.splitlines()
    assert len(rows) == 5
    for made, row in enumerate(rows[3:]):
        assert all(f"{score:.3f}" in row for score in photo.crossed[made])


def test_one_model_can_be_attacked_alone_and_the_address_says_so(lab: AppTest) -> None:
    lab.query_params["against"] = "none"
    finish(lab)
    assert outcome(lab).recipe.models == (("linearity", "baseline"),)
    assert "its score rose" in lab.header[0].value
    lab.selectbox(key=state.COMPARED_WITH).set_value(HARDENED.stem)
    lab.button(key=state.RUN).click()
    finish(lab)
    assert len(outcome(lab).photos[0].runs) == 2


def test_a_hardened_model_is_compared_with_its_baseline(lab: AppTest) -> None:
    lab.query_params["model"], lab.query_params["variant"] = "linearity", "hardened"
    finish(lab)
    assert outcome(lab).recipe.stems == (HARDENED.stem, CARD.stem)
    lab.selectbox(key=state.MODEL).set_value(CARD.stem).run()
    assert lab.selectbox(key=state.COMPARED_WITH).value == HARDENED.stem


def test_an_unknown_second_model_in_the_address_is_refused_with_the_ones_there_are(lab: AppTest) -> None:
    lab.query_params["against"] = "nobody"
    finish(lab)
    assert "gainst must be none or one of linearity-hardened" in text(lab)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_all_widgets_and_keeps_the_direction(lab: AppTest, name: str) -> None:
    finish(lab)
    lab.segmented_control(key=state.DIRECTION).set_value("down").run()
    lab.pills(key=session.NAMED_ATTACK).set_value(name).run()
    assert not lab.exception
    assert lab.pills(key=session.NAMED_ATTACK).value == name
    assert lab.selectbox(key=state.ATTACK).value != "fgsm"
    assert lab.segmented_control(key=state.DIRECTION).value == "down"


def test_several_photos_are_attacked_and_each_can_be_opened(lab: AppTest) -> None:
    names = [sample.name for sample in SAMPLES[:2]]
    lab.query_params["photos"] = ",".join(names)
    finish(lab)
    assert [choice.name for choice in outcome(lab).recipe.photos] == names
    assert lab.header[0].value == "2 photos, attacked one by one (FGSM 4/255)"
    assert "On average Linearity baseline moves by +3" in text(lab)
    frame = lab.dataframe[0].value
    reports = [photo.runs[0].report for photo in outcome(lab).photos]
    assert list(frame["Clean: Linearity, baseline"])[:2] == [round(report.clean_score, 3) for report in reports]
    gains = [200 * photo.runs[1].report.gain for photo in outcome(lab).photos]
    assert list(frame["Gain: Linearity, hardened"]) == pytest.approx([*gains, sum(gains) / 2])
    assert list(frame["Photo"])[-1] == "Mean"
    assert "All photos and numbers (ZIP)" in [button.label for button in lab.download_button]
    first = lab.header[1].value
    lab.selectbox(key=session.OPENED).set_value(1).run()
    assert not lab.exception
    assert lab.header[1].value != first
    assert dict(lab.query_params)["photos"] == ",".join(names)


def test_uploads_can_be_attacked_together(lab: AppTest) -> None:
    finish(lab)
    lab.toggle(key=session.SEVERAL).set_value(True).run()
    lab.segmented_control(key=f"{session.LAB_SET}{state.SOURCE}").set_value("uploads").run()
    lab.file_uploader[0].upload("a.png", png((96, 80)), "image/png")
    lab.file_uploader[0].upload("b.png", png((80, 96), seed=30), "image/png")
    lab.run()
    lab.button(key=state.RUN).click()
    finish(lab)
    assert [photo.runs[0].size for photo in outcome(lab).photos] == [(96, 80), (80, 96)]
    assert "photos" not in lab.query_params


def test_all_strengths_are_tried_with_noise_beside_them(lab: AppTest) -> None:
    finish(lab)
    assert "sweep" not in lab.query_params
    lab.button(key="sweep_run").click()
    finish(lab, sweep_jobs)
    result = found(str(sweep_jobs(lab).shown))
    assert isinstance(result, SweepOutcome)
    assert len(result.points) == 2 * 2 * len(STRENGTHS["eps"])
    for point in result.points:
        slope = SLOPE if point.model == CARD.stem else SLOPE / 4
        gain = point.score - point.clean_score
        # Half a level of 255 is rounded to a whole one, or to none, and clipped pixels do not count.
        if point.attack == "fgsm" and point.strength >= 1 / 255:
            assert gain == pytest.approx(slope * point.strength, rel=0.1)
        elif point.attack == "noise":
            assert abs(gain) < 0.1 * slope * point.strength
    assert dict(lab.query_params)["sweep"] == "yes"
    assert "Curve (CSV)" in [button.label for button in lab.download_button]


def test_an_address_with_a_sweep_runs_it_too(lab: AppTest) -> None:
    lab.query_params["sweep"] = "yes"
    finish(lab)
    lab.run()
    job = sweep_jobs(lab).active
    assert job is not None
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    lab.run()
    assert not lab.exception
    assert "Curve (CSV)" in [button.label for button in lab.download_button]


def test_presets_are_what_they_are_called() -> None:
    assert PRESETS["Invisible"] == PGD(2 / 255, steps=10)
    assert PRESETS["Bend"] == StAdv(1.0)
