"""Every bundled model's own range was measured, on the same photos as its baseline's, by a command that it names."""

from pathlib import Path

import pytest

from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.models.card import ModelCard

CARDS = list_cards(Path(__file__).parents[2] / "checkpoints")
BASELINES = {card.model: card for card in CARDS if card.variant == "baseline"}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_bundled_range_is_measured_on_2000_training_photos(card: ModelCard) -> None:
    source = card.range_source
    assert source is not None
    assert (source.kind, source.photos, source.of) == ("measured", 2000, "BIQ2021, training split, drawn with seed 0")
    assert card.model in source.command
    assert len(source.photos_sha256) == 64


def test_all_bundled_ranges_are_of_the_same_photos() -> None:
    assert len({card.range_source.photos_sha256 for card in CARDS if card.range_source}) == 1


@pytest.mark.parametrize("card", [card for card in CARDS if card.variant != "baseline"], ids=lambda card: card.stem)
def test_a_hardened_range_is_not_that_of_its_baseline_and_its_early_figures_do_not_claim_so(card: ModelCard) -> None:
    baseline = BASELINES[card.model]
    assert abs(card.score_range.width / baseline.score_range.width - 1) > 1e-3
    for which in ("baseline", "hardened"):
        scale = card.hardening["attacked"][which]["scale"]
        assert scale["convention"] == "baseline"
        assert scale["score_range"] == {"low": baseline.score_range.low, "high": baseline.score_range.high}
