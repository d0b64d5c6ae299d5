"""A model of the user's own in the app: listed in a file, chosen like any other, attacked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from robustiqa_core.attacks import PGD
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.own_models import MODELS_VARIABLE
from ui.attacks.batch_job import BatchOutcome
from ui.audit.recipe import AuditRecipe
from ui.jobs import cache as jobs_cache
from ui.lab import session
from ui.photos import cache as photo_cache
from ui.photos.photo_set import PhotoSet
from ui.pruning.recipe import PruningRecipe
from ui.shell import cache
from ui.shell.navigation import listed_pages
from ui.spectra.recipe import Layers, SpectraRecipe

pytestmark = pytest.mark.thorough

APP = Path(__file__).parents[2] / "app.py"
TIMEOUT = 60.0
# Twice the brightness, called a distortion: an attack that raises the score darkens the photo.
NET = "def make(): return lambda images: 2 * images.mean((1, 2, 3))\n"


BROKEN = """
import sys


def raises(): open("not_there.pth")
def leaves(): sys.exit("bye")
def nothing(): "returns no network"
"""


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A list of models with one that works, and a folder of checkpoints that is not there."""
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "broken.py").write_text(BROKEN)
    path = tmp_path / "models.toml"
    path.write_text('[brightness]\nsource = "net.py:make"\nhigher_is_better = false\nunit = "darkness, -2 to 0"\n')
    monkeypatch.setenv(MODELS_VARIABLE, str(path))
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path / "none"))
    caches = (cache.listed_models, cache.loaded_scorer, jobs_cache.speed, jobs_cache.shelf)
    for cached in caches:
        cached.clear()
    yield path
    for cached in caches:
        cached.clear()


@pytest.fixture
def app(listed: Path) -> AppTest:
    return AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page("pages/attack_lab.py")


def test_it_is_listed_and_attacked_like_a_bundled_model(app: AppTest) -> None:
    app.run()
    assert not app.exception
    job = app.session_state[session.JOBS].active
    assert not cache.jobs().wait(job, timeout=TIMEOUT).active
    app.run()
    assert not app.exception
    model = next(box for box in app.selectbox if box.label == "Model")
    assert model.options == ["brightness, own"]
    shown = str(app.session_state[session.JOBS].shown)
    outcome = jobs_cache.shelf().get(shown) or cache.jobs().result(shown)
    assert isinstance(outcome, BatchOutcome)
    report = outcome.first.report
    assert (report.model, report.variant) == ("brightness", "own")
    # PGD at 4/255 darkens every pixel that is not black already; the score is minus twice the mean.
    assert report.rounded_score - report.clean_score == pytest.approx(2 * 4 / 255, rel=0.1)
    assert "--model brightness --variant own" in report.command


def test_a_model_whose_file_changes_is_read_again_and_shows_no_result_of_the_earlier_one(
    listed: Path, tmp_path: Path
) -> None:
    photos = torch.full((1, 3, 64, 64), 0.5)
    before, first = cache.weights("brightness-own"), cache.scorer("brightness", "own")(photos).item()
    assert before == cache.weights("brightness-own")
    (tmp_path / "net.py").write_text(NET.replace("2 *", "3.5 *"))
    after = cache.weights("brightness-own")
    assert after not in ("", before)
    assert cache.scorer("brightness", "own")(photos).item() == pytest.approx(1.75 * first)
    listed.write_text("[brightness")
    assert cache.weights("brightness-own") != "", "a list that can no longer be read changes nothing"


def test_audits_and_spectra_are_kept_by_the_weights_too() -> None:
    photos = PhotoSet("samples", tuple(photo_cache.samples())[:1])
    audit = AuditRecipe("linearity", "own", photos, 224, PGD(), reference="dbcnn-baseline")
    assert audit.stems == ("linearity-own", "dbcnn-baseline")
    spectra = SpectraRecipe(photos, ("linearity-own",), 256, Layers(PGD(), "none"))
    for recipe in (audit, spectra, PruningRecipe("linearity")):
        assert recipe.key(["a"]) == recipe.key(("a",)) != recipe.key(["b"])


def test_its_card_has_the_range_that_it_gave_to_the_sample_photos(app: AppTest) -> None:
    (card,) = cache.cards().values()
    brightness = [2 * photo_cache.sample_photo(name).images.mean().item() for name in photo_cache.samples()]
    assert card.score_range.low == pytest.approx(-max(brightness))
    assert card.score_range.high == pytest.approx(-min(brightness))
    assert card.score_unit == "darkness, -2 to 0, negated so that larger is better"
    page = app.switch_page("pages/how_it_works.py").run()
    assert not page.exception
    assert any("brightness, own" in expander.label for expander in page.expander)


@pytest.mark.parametrize("page", [page.file for page in listed_pages()])
def test_models_that_fail_are_left_out_of_every_page_which_says_why(listed: Path, page: str) -> None:
    with listed.open("a") as file:
        for name in ("raises", "leaves", "nothing"):
            # Its range is stated, so that nothing else would load it before it is chosen.
            file.write(f'[{name}]\nsource = "broken.py:{name}"\nscore_range = [0, 1]\n')
        file.write('[misspelt]\nsorce = "net.py:make"\n')
    app = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page(page).run()
    assert not app.exception
    said = " ".join(warning.value for warning in app.warning)
    for text in ("raises", "FileNotFoundError", "leaves", "SystemExit", "nothing", "None", "misspelt", "sorce"):
        assert text in said
    assert list(cache.cards()) == ["brightness-own"]


@pytest.mark.parametrize("damage", ["[brightness", "", "folder"])
def test_a_list_that_cannot_be_read_is_named_on_the_page(listed: Path, damage: str) -> None:
    listed.write_text(damage) if damage else listed.unlink()
    if damage == "folder":
        listed.unlink()
        listed.mkdir()
    app = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page("pages/how_it_works.py").run()
    assert not app.exception
    (warning,) = app.warning
    assert "models\\.toml" in warning.value


def test_a_card_that_cannot_be_read_is_named_on_the_page(
    listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "linearity-mine.json").write_text("{")
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path))
    app = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page("pages/how_it_works.py").run()
    assert not app.exception
    (warning,) = app.warning
    assert "linearity\\-mine\\.json" in warning.value


@pytest.mark.thorough
def test_a_model_without_gradient_is_attacked_by_its_scores_and_the_page_says_what_cannot(listed: Path) -> None:
    (listed.parent / "net.py").write_text(NET.replace("images.mean", "images.detach().mean"))
    app = AppTest.from_file(APP, default_timeout=TIMEOUT).switch_page("pages/attack_lab.py").run()
    assert not app.exception
    job = app.session_state[session.JOBS].active
    assert not cache.jobs().wait(job, timeout=TIMEOUT).active
    app.run()
    assert not app.exception
    assert any("needs no gradient" in error.value for error in app.error)
