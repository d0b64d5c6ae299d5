"""What a comparison shows of known failures of hardened models. Knows nothing of Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from robustiqa_core.auditing.diagnosis import HardenedFigures, Symptom, diagnose
from robustiqa_core.evaluation.tables.rows import TableRow
from robustiqa_core.evaluation.tables.runs import ScoreRun, runs_of_rows
from robustiqa_core.models.card import ModelCard
from ui.compare.texts import is_noise, is_transfer


def symptoms(rows: Sequence[TableRow], cards: Mapping[str, ModelCard]) -> dict[str, tuple[Symptom, ...]]:
    """Return the known failures of each hardened model of a comparison that shows some, by its stem.

    The gains are those of the attack and strength that move the baseline most; without the baseline among the models
    only what the card says counts.

    Args:
        rows: of the table.
        cards: of all models, by stem.
    """
    runs = runs_of_rows(rows)
    stems = [stem for stem in dict.fromkeys(run.model for run in runs) if stem in cards and cards[stem].hardening]
    found = {stem: diagnose(_figures(runs, stem, cards)) for stem in stems}
    return {stem: listed for stem, listed in found.items() if listed}


def _figures(runs: Sequence[ScoreRun], stem: str, cards: Mapping[str, ModelCard]) -> HardenedFigures:
    """Return what is known of a hardened model."""
    card, baseline = cards[stem], f"{cards[stem].model}-baseline"
    known = _of_card(card, cards.get(baseline))
    direct = [run for run in runs if run.model == baseline and not is_transfer(run.attack) and not is_noise(run.attack)]
    if not direct:
        return known
    worst = max(direct, key=lambda run: abs(_gain(run, cards[baseline])))
    same = {run.attack: run for run in runs if run.model == stem and run.strength == worst.strength}
    own, made_there = same.get(worst.attack), same.get(f"{worst.attack} from {baseline}")
    return replace(
        known,
        gain_before=_gain(worst, cards[baseline]),
        gain_after=None if own is None else _gain(own, card),
        transfer_gain=None if made_there is None else _gain(made_there, card),
    )


def _of_card(card: ModelCard, baseline: ModelCard | None) -> HardenedFigures:
    """Return what a card says by itself, and beside its baseline's."""
    before = {} if baseline is None else {found.dataset: found.srocc for found in baseline.measurements}
    shared = [found for found in card.measurements if found.dataset in before]
    filters = card.hardening.get("filters", {})
    return HardenedFigures(
        agreement=card.hardening.get("agreement", {}).get("srocc"),
        mos_before=before[shared[0].dataset] if shared else None,
        mos_after=shared[0].srocc if shared else None,
        spread=card.hardening.get("spread"),
        removed=filters.get("removed", 0) / max(1, filters.get("before", 1)),
    )


def _gain(run: ScoreRun, card: ModelCard) -> float:
    """Return the mean change of the scores as a share of the model's own range."""
    return float((run.attacked - run.clean).mean()) / card.score_range.width
