"""The verdict on each hardened model of a comparison, by the one rule of all pages. Knows nothing of Streamlit."""

from collections.abc import Mapping, Sequence

from robustiqa_core.evaluation.tables.rows import TableRow
from robustiqa_core.evaluation.tables.runs import runs_of_rows
from robustiqa_core.evaluation.tables.summary import Summary
from robustiqa_core.models.card import ModelCard
from robustiqa_core.verdict import Comparison, Movement, Verdict, is_derived, judge, known_agreement
from ui.compare.texts import is_noise, worst_of

BASELINE = "baseline"


def verdicts(
    rows: Sequence[TableRow], summary: Summary, cards: Mapping[str, ModelCard], *, direction: str
) -> dict[str, tuple[str, Verdict]]:
    """Return the baseline and the verdict of each hardened model whose baseline is there too, the broken ones first.

    What counts is the attack in the strength that moves the baseline most.

    Args:
        rows: of the table.
        summary: its figures under a convention.
        cards: of all models, by stem.
        direction: where the attacks pushed the scores.
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
            (Movement(direction, worst.figures.absolute_gain, after),),
            agreement=known_agreement(cards[stem]),
            spread=spreads[stem] / spreads[baseline] if spreads[baseline] else None,
        )
        found[stem] = (baseline, judge(comparison))
    return dict(sorted(found.items(), key=lambda item: item[1][1].kind != "broken"))


def _spreads(rows: Sequence[TableRow]) -> dict[str, float]:
    """Return the standard deviation of each model's clean scores, as a share of its own usual range."""
    ranges = {row.stem: row.score_range for row in rows}
    return {run.model: float(run.clean.std()) / ranges[run.model].width for run in runs_of_rows(rows)}
