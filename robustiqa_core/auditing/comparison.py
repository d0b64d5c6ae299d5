"""What a table of attacks says of hardened models beside their baselines: a verdict, and known failures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from robustiqa_core.attacks import parse_attack
from robustiqa_core.auditing.diagnosis import HardenedFigures, Symptom, diagnose
from robustiqa_core.evaluation.tables.rows import TableRow
from robustiqa_core.evaluation.tables.runs import ScoreRun, runs_of_rows
from robustiqa_core.evaluation.tables.summary import Summary, is_noise, is_transfer, worst_of
from robustiqa_core.models.card import ModelCard
from robustiqa_core.verdict import Comparison, Movement, Verdict, is_derived, judge, known_agreement

BASELINE = "baseline"


def verdicts(
    rows: Sequence[TableRow], summary: Summary, cards: Mapping[str, ModelCard]
) -> dict[str, tuple[str, Verdict]]:
    """Return the baseline and the verdict of each hardened model whose baseline is there too, the broken ones first.

    What counts is the attack in the strength that moves the baseline most.

    Args:
        rows: of the table.
        summary: its figures under a convention.
        cards: of all models, by stem.
    """
    found: dict[str, tuple[str, Verdict]] = {}
    spreads = _spreads(rows)
    gains = {(run.model, run.attack, run.strength): run.figures.absolute_gain for run in summary.runs}
    for stem in dict.fromkeys(run.model for run in summary.runs):
        baseline = f"{cards[stem].model}-{BASELINE}" if stem in cards else stem
        worst = worst_of(summary, baseline)
        if stem == baseline or not is_derived(cards[stem]) or worst is None or is_noise(worst.attack):
            continue
        after = gains.get((stem, worst.attack, worst.strength))
        if after is None:
            continue
        comparison = Comparison(
            (Movement(_direction(worst.attack), worst.figures.absolute_gain, after),),
            agreement=known_agreement(cards[stem]),
            spread=spreads[stem] / spreads[baseline] if spreads[baseline] else None,
        )
        found[stem] = (baseline, judge(comparison))
    return dict(sorted(found.items(), key=lambda item: item[1][1].kind != "broken"))


def _spreads(rows: Sequence[TableRow]) -> dict[str, float]:
    """Return the standard deviation of each model's clean scores, as a share of its own usual range."""
    ranges = {row.stem: row.score_range for row in rows}
    return {run.model: float(run.clean.std()) / ranges[run.model].width for run in runs_of_rows(rows)}


def _direction(attack: str) -> str:
    """Return where an attack of a table pushes the scores; what it is by default is left out of its name there."""
    return str(getattr(parse_attack(attack), "direction", "up"))


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


def comparison_json(rows: Sequence[TableRow], summary: Summary, cards: Mapping[str, ModelCard]) -> dict[str, Any]:
    """Return the verdicts and the symptoms of a table as a JSON object."""
    judged = verdicts(rows, summary, cards)
    found = symptoms(rows, cards)
    return {
        "verdicts": {
            stem: {
                "baseline": baseline,
                "kind": verdict.kind,
                # JSON knows no infinity, the ratio of a model that does not move.
                "ratio": verdict.ratio if math.isfinite(verdict.ratio) else None,
                "untried": verdict.untried,
            }
            for stem, (baseline, verdict) in judged.items()
        },
        "symptoms": {stem: [asdict(symptom) for symptom in listed] for stem, listed in found.items()},
    }
