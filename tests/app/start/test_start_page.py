"""The first page: its live result on scorers whose answers are known, alone and beside a hardened one; its ways on."""

import base64
import csv
import dataclasses
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_pages import TIMEOUT, png, text
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, TinyScorer, card_of_its_own

from robustiqa_core.evaluation.report import AttackReport
from robustiqa_core.images.photo import decode_image, encode_png
from robustiqa_core.scorer import ScoreRange
from ui.attacks.batch_job import BatchOutcome
from ui.jobs import cache as jobs_cache
from ui.photos import cache as photo_cache
from ui.shell import cache
from ui.shell.figures import COLOURS, amplified_png
from ui.shell.navigation import PAGES, listed_pages
from ui.start import texts
from ui.start.figures import TWIN_BOX, TWIN_GAIN, answers_figure, crop_png, likeness, pipeline_svg, twin_svg
from ui.start.live import SHOWN, start_recipe
from ui.start.texts import Answer, hardened_words, headline, photo_sentence

ROOT = Path(__file__).parents[3]
APP = ROOT / "app.py"
JOBS = "start_jobs"
HARDENED = dataclasses.replace(CARD, variant="hardened", hardening={"recipe": "a test's"})
PLUS = dataclasses.replace(CARD, variant="hardened-plus", hardening={"recipe": "a test's"})
SLOPES = {"baseline": 45.0, "hardened": 20.0, "hardened-plus": 8.0}
EPS = 4 / 255


@pytest.fixture
def only_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs_cache.shelf.clear()
    card = card_of_its_own()
    monkeypatch.setattr(cache, "cards", lambda: {CARD.stem: card})
    monkeypatch.setattr(photo_cache, "sample_photo", lambda name: decode_image(png()))
    monkeypatch.setattr(cache, "scorer", lambda model, variant: TinyScorer(slope=SLOPES[variant]))


@pytest.fixture
def with_hardened(only_baseline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = card_of_its_own()
    monkeypatch.setattr(cache, "cards", lambda: {card.stem: card for card in (first, HARDENED, PLUS)})


def open_page(address: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=TIMEOUT)
    for key, value in (address or {}).items():
        page.query_params[key] = value
    return page.run()


def finish(page: AppTest) -> AppTest:
    job = page.session_state[JOBS].active
    if job is not None:
        assert not cache.jobs().wait(job, timeout=TIMEOUT).active
    page.run()
    assert not page.exception
    return page


def outcome(page: AppTest) -> BatchOutcome:
    shown = str(page.session_state[JOBS].shown)
    result = jobs_cache.shelf().get(shown) or cache.jobs().result(shown)
    assert isinstance(result, BatchOutcome)
    return result


@pytest.mark.usefixtures("with_hardened")
def test_a_first_visit_attacks_the_baseline_and_its_best_hardened_version_at_once() -> None:
    page = finish(open_page())
    photos, photo = outcome(page).photos, outcome(page).photos[0]
    assert [one.runs[0].recipe.photo.name for one in photos] == list(SHOWN)
    assert outcome(page).recipe.models == (("linearity", "baseline"), ("linearity", "hardened-plus"))
    for run, slope in zip(photo.runs, (45.0, 8.0), strict=True):
        assert run.report.gain == pytest.approx(slope * EPS, rel=0.05)
    # What moves one checkerboard moves the other as well.
    before = photo.runs[1].report.clean_score
    assert photo.crossed[0][1] - before == pytest.approx(8.0 * EPS, rel=0.05)
    said, report = text(page), photo.runs[0].report
    assert f"its score rose from {report.clean_score:.2f} to {report.rounded_score:.2f}, " in said
    assert "moves no colour value by more than 4 of 255 steps" in said
    assert "times less than the baseline, on both photos" in said
    runs = [run for one in photos for run in one.runs]
    assert page.code[0].value == "\n".join(run.report.command for run in runs)
    assert list(page.table[0].value["Moved, share of its usual range"]) == [
        f"{run.report.rounded_score - run.report.clean_score:+.0%}" for run in runs
    ]


@pytest.mark.thorough
@pytest.mark.usefixtures("only_baseline")
def test_without_a_hardened_model_the_baseline_stands_alone_and_the_page_says_how_to_make_one() -> None:
    page = finish(open_page())
    assert outcome(page).recipe.models == (("linearity", "baseline"),)
    assert "There is no hardened model here yet" in text(page)
    assert "on the page Block placement" in text(page)
    assert len(page.table[0].value) == len(SHOWN)


@pytest.mark.usefixtures("only_baseline")
def test_an_old_address_of_the_attack_lab_still_opens_it() -> None:
    page = open_page({"photo": "cat", "attack": "fgsm", "eps": "8/255"})
    assert not page.exception
    assert page.title[0].value == "Attack lab"


@pytest.mark.usefixtures("only_baseline")
def test_the_page_links_to_every_other_page_and_each_has_an_address_of_its_own() -> None:
    page = open_page()
    linked = {link.proto.page for link in page.get("page_link")}
    assert {other.url_path for other in listed_pages()[1:]} <= linked
    assert len({other.url_path for other in PAGES}) == len(PAGES)
    assert all((ROOT / other.file).is_file() for other in PAGES)


def test_no_models_are_a_sentence_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "cards", dict)
    page = open_page()
    assert not page.exception
    assert "There are no models in the folder checkpoints." in page.error[0].value


def test_a_baseline_with_a_hardened_version_is_preferred_to_an_earlier_one_without() -> None:
    other = dataclasses.replace(CARD, model="tres")
    cards = {card.stem: card for card in (other, CARD, HARDENED)}
    assert start_recipe(cards).stems == ("linearity-baseline", "linearity-hardened")


def answer(stem: str, clean: float, attacked: float, *, low: float = 0.0, high: float = 1.0) -> Answer:
    return Answer("cat", stem, stem, clean, attacked, clean + 0.01, ScoreRange(low, high), f"robustiqa {stem}")


def test_the_words_do_not_praise_a_hardened_model_that_moved_as_far() -> None:
    baseline = answer("a-baseline", 0.2, 0.6)
    assert "moved 4.0 times less than the baseline" in hardened_words(baseline, answer("a-hardened", 0.2, 0.3))
    # Half of the change on half of the range is the same share.
    squeezed = answer("a-hardened", 0.2, 0.4, high=0.5)
    assert "moved about as far as the baseline" in hardened_words(baseline, squeezed)
    assert "moved 1.5 times as far as the baseline" in hardened_words(baseline, answer("a-hardened", 0.2, 0.8))
    assert "hardly moved" in hardened_words(baseline, answer("a-hardened", 0.2, 0.215))
    assert "a baseline that did not move" in hardened_words(answer("a-baseline", 0.2, 0.2), squeezed)


def test_the_headline_tells_the_strong_case_and_the_weak_one() -> None:
    strong = (answer("a-baseline", 0.2, 0.8), answer("a-hardened", 0.2, 0.3))
    weak = (answer("a-baseline", 0.2, 1.2), answer("a-hardened", 0.2, 0.7))
    for photos in ([strong, weak], [weak, strong]):
        said = headline(photos, agreement=0.96)
        assert said.endswith(
            "moved 6.0 times less than the baseline on one photo, but only 2.0 times less on the other."
        )
    farther = (answer("a-baseline", 0.2, 0.3), answer("a-hardened", 0.2, 0.8))
    assert "but moved 6.0 times as far as the baseline on the other" in headline([strong, farther], agreement=0.96)
    assert "on both photos" in headline([strong, strong])
    assert "is not known" in headline([strong, weak])
    broken = headline([strong, weak], agreement=0.949)
    assert broken.startswith("a-hardened no longer rates photos as before")
    assert "times less" not in broken
    assert headline([strong[:1], weak[:1]]) == "The attack moves the score by +60% and +100% of its usual range."


@given(
    clean=st.floats(0.0, 1.0),
    attacked=st.floats(-1.0, 3.0),
    low=st.floats(0.0, 0.4),
    high=st.floats(0.5, 1.0),
    trained=st.booleans(),
)
def test_a_score_is_said_to_be_beyond_its_usual_range_where_it_is_and_only_there(
    clean: float, attacked: float, low: float, high: float, trained: bool
) -> None:
    said = photo_sentence(
        fake_report(psnr=41.0, ssim=0.99), answer("a", clean, attacked, low=low, high=high), trained=trained
    )
    if abs(attacked - clean) < 1e-3:
        assert "no effect" in said
        return
    assert (f"above {high:.2f}" in said) == (attacked > high)
    assert (f"below {low:.2f}" in said) == (attacked < low)
    assert ("training photo" in said) == (trained and not low <= attacked <= high)
    assert "possible" not in said


@pytest.mark.parametrize("name", ["cat_twin.png"])
def test_the_first_picture_is_as_hard_to_see_as_its_heading_says(name: str) -> None:
    twin = (ROOT / "assets" / "start" / name).read_bytes()
    clean = crop_png(photo_cache.samples()["cat"].path.read_bytes(), TWIN_BOX)
    assert likeness(clean, twin) in ("The photo looks the same", "The photo looks almost the same")
    noise = decode_image(twin).images.flip(-1)
    assert likeness(clean, encode_png(noise)) == "The photo is visibly changed"


def fake_report(*, psnr: float, ssim: float) -> AttackReport:
    values = {field.name: 0 for field in dataclasses.fields(AttackReport)}
    return AttackReport(**{**values, "psnr": psnr, "ssim": ssim})


def test_the_files_hold_the_unrounded_numbers() -> None:
    answers = (answer("a-baseline", 0.2, 0.98765432), answer("a-hardened", 0.2, 0.25))
    rows = list(csv.DictReader(io.StringIO(texts.answers_csv(answers))))
    assert [float(row["adversarial_score"]) for row in rows] == [0.98765432, 0.25]
    assert json.loads(texts.answers_json(answers))[1]["transferred_score"] == pytest.approx(0.21)


def test_the_chart_goes_from_the_photo_to_the_twin_in_the_colour_of_the_model() -> None:
    colours = {"a-baseline": COLOURS["baseline"]}
    figure = answers_figure((answer("a-baseline", 0.2, 0.9),), colours)
    assert list(figure.data[1].x) == [0.2, 0.9]
    assert figure.data[1].line.color == COLOURS["baseline"]
    assert "higher = better" in figure.layout.xaxis.title.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_drawings_are_well_formed_in_both_schemes(scheme: str) -> None:
    png = (ROOT / "assets" / "start" / "cat_twin.png").read_bytes()
    pipeline, twin = (ElementTree.fromstring(svg) for svg in (pipeline_svg(scheme), twin_svg(png, png, scheme)))
    words = [element.text for element in pipeline.iter("{http://www.w3.org/2000/svg}text")]
    assert words.index("photo") < words.index("block") < words.index("score")
    shown = [image.attrib["href"] for image in twin.iter("{http://www.w3.org/2000/svg}image")]
    change = base64.b64decode(shown[1].partition(",")[2])
    assert [len(shown), change] == [3, amplified_png(png, png, TWIN_GAIN)]
    assert "@" not in pipeline_svg(scheme)
    assert pipeline_svg("light") != pipeline_svg("dark")
