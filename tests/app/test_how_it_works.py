"""The page that explains everything."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from robustiqa_core.samples import list_samples
from robustiqa_core.storage import list_cards
from ui import glossary

APP = Path(__file__).parents[2] / "app.py"


def test_it_shows_every_model_card_the_glossary_and_the_credits_of_every_photo() -> None:
    page = AppTest.from_file(APP, default_timeout=60).switch_page("pages/how_it_works.py").run()
    assert not page.exception
    text = " ".join(element.value for element in [*page.markdown, *page.caption]).replace("\\", "")
    overview = page.table[0].value
    rows = {f"{model.lower()}-{version}": row for model, version, *row in overview.itertuples(index=False)}
    shown = [metric.value for metric in page.metric]
    for card in list_cards():
        for figures in card.measurements:
            assert f"{figures.srocc:.3f}" in shown
            assert str(figures.photos) in shown
        assert card.limits in text
        srocc, plcc, gains = rows[card.stem]
        assert (srocc, plcc) == (f"{card.measurements[0].srocc:.3f}", f"{card.measurements[0].plcc:.3f}")
        if card.hardening:
            attacked = card.hardening["attacked"]
            figures = (attacked["hardened"]["absolute_gain"], attacked["baseline"]["absolute_gain"])
            assert gains == f"{figures[0]:.3f} ({figures[1]:.3f})"
        else:
            assert gains == ""
    for word in glossary.WORDS:
        assert f"**{word}**" in text
    for sample in list_samples():
        assert f"“{sample.title}” by {sample.author}" in text
        assert sample.licence_url in text
