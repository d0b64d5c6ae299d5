"""The page that explains everything."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.images.samples import list_samples
from robustiqa_core.verdict import LEAST_AGREEMENT, known_agreement
from ui.shell import glossary
from ui.shell.model_names import version_name

APP = Path(__file__).parents[2] / "app.py"


def list_cards_by_stem() -> list[str]:
    return [card.stem for card in list_cards()]


def test_every_word_is_in_one_group_and_each_group_is_in_the_order_of_the_alphabet() -> None:
    grouped = [word for words in glossary.GROUPS.values() for word in words]
    assert sorted(grouped) == sorted(glossary.WORDS)
    for words in glossary.GROUPS.values():
        assert list(words) == sorted(words, key=str.lower)


@pytest.mark.thorough
def test_the_table_of_all_models_comes_first() -> None:
    page = AppTest.from_file(APP, default_timeout=60).switch_page("pages/how_it_works.py").run()
    assert next(header.value for header in page.header) == "The models at a glance"
    assert "**Adversarial training**: trained on attacked photos" in page.markdown[0].value


def test_it_shows_every_model_card_the_glossary_and_the_credits_of_every_photo() -> None:
    page = AppTest.from_file(APP, default_timeout=60).switch_page("pages/how_it_works.py").run()
    assert not page.exception
    text = " ".join(element.value for element in [*page.markdown, *page.caption]).replace("\\", "")
    overview = page.table[0].value
    rows = dict(zip(list_cards_by_stem(), (row[2:] for row in overview.itertuples(index=False)), strict=True))
    assert list(overview["Version"]) == [version_name(card).capitalize() for card in list_cards()]
    shown = [metric.value for metric in page.metric]
    for card in list_cards():
        for figures in card.measurements:
            assert f"{figures.srocc:.3f}" in shown
            assert str(figures.photos) in shown
        assert card.limits in text
        srocc, plcc, gains, agreement = rows[card.stem]
        assert (srocc, plcc) == (f"{card.measurements[0].srocc:.3f}", f"{card.measurements[0].plcc:.3f}")
        if card.hardening:
            attacked = card.hardening["attacked"]
            figures = (attacked["hardened"]["absolute_gain"], attacked["baseline"]["absolute_gain"])
            assert gains == f"{figures[0]:.3f} ({figures[1]:.3f})"
            found = known_agreement(card)
            assert agreement == f"{found:.3f}" + ("" if found >= LEAST_AGREEMENT else ", rates photos differently")
        else:
            assert (gains, agreement) == ("", "")
    for word in glossary.WORDS:
        assert f"**{word}**" in text
    for sample in list_samples():
        assert f"“{sample.title}” by {sample.author}" in text
        assert sample.licence_url in text
