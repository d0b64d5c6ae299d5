"""The findings of a comparison, as the sentences above its figures."""

from collections.abc import Mapping

import streamlit as st

from robustiqa_core.auditing.comparison import verdicts
from robustiqa_core.evaluation.tables.summary import Summary
from ui.compare.job import CompareOutcome
from ui.compare.texts import movements
from ui.shell import cache
from ui.shell.markdown import plain
from ui.shell.verdicts import reservation, sentence


def draw_headline(outcome: CompareOutcome, summary: Summary, names: Mapping[str, str]) -> None:
    """Say what holds of each hardened model, and how far the attack moved each model.

    Args:
        outcome: of the comparison.
        summary: its figures under a convention.
        names: what people call each model, by its stem.
    """
    said = verdicts(outcome.rows, summary, cache.cards())
    moved = movements(summary, [(stem, names[stem]) for stem in outcome.recipe.models])
    sentences = [
        sentence(verdict, name=names[stem], baseline=names[baseline]) for stem, (baseline, verdict) in said.items()
    ]
    first, *others = [*sentences, *moved]
    st.header(first, anchor=False)
    reservations = dict.fromkeys(filter(None, (reservation(verdict) for _, verdict in said.values())))
    st.markdown("\n".join(f"- {plain(text)}" for text in [*others, *reservations]))
