"""A model of the user's own in the app: listed in a file, chosen like any other, attacked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.own_models import MODELS_VARIABLE
from ui import cache, state
from ui.lab_job import LabOutcome

APP = Path(__file__).parents[2] / "app.py"
TIMEOUT = 60.0
# Twice the brightness, called a distortion: an attack that raises the score darkens the photo.
NET = "def make(): return lambda images: 2 * images.mean((1, 2, 3))\n"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    (tmp_path / "net.py").write_text(NET)
    listed = tmp_path / "models.toml"
    listed.write_text('[brightness]\nsource = "net.py:make"\nhigher_is_better = false\nunit = "darkness, -2 to 0"\n')
    monkeypatch.setenv(MODELS_VARIABLE, str(listed))
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path / "none"))
    caches = (cache.listed_cards, cache.loaded_scorer)
    for cached in caches:
        cached.clear()
    yield AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page("pages/attack_lab.py")
    for cached in caches:
        cached.clear()


def test_it_is_listed_and_attacked_like_a_bundled_model(app: AppTest) -> None:
    app.run()
    assert not app.exception
    job = app.session_state[state.LAB].active
    assert not cache.jobs().wait(job, timeout=TIMEOUT).active
    app.run()
    assert not app.exception
    model = next(box for box in app.selectbox if box.label == "Model")
    assert model.options == ["brightness, own"]
    shown = str(app.session_state[state.LAB].shown)
    outcome = cache.shelf().get(shown) or cache.jobs().result(shown)
    assert isinstance(outcome, LabOutcome)
    report = outcome.first.report
    assert (report.model, report.variant) == ("brightness", "own")
    # PGD at 4/255 darkens every pixel that is not black already; the score is minus twice the mean.
    assert report.rounded_score - report.clean_score == pytest.approx(2 * 4 / 255, rel=0.1)
    assert "--model brightness --variant own" in report.command


def test_its_card_has_the_range_that_it_gave_to_the_sample_photos(app: AppTest) -> None:
    (card,) = cache.cards().values()
    brightness = [2 * cache.sample_photo(name).images.mean().item() for name in cache.samples()]
    assert card.score_range.low == pytest.approx(-max(brightness))
    assert card.score_range.high == pytest.approx(-min(brightness))
    assert card.score_unit == "darkness, -2 to 0, negated so that larger is better"
    page = app.switch_page("pages/how_it_works.py").run()
    assert not page.exception
    assert any("brightness, own" in expander.label for expander in page.expander)
