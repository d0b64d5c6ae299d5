"""The figures of a comparison under a convention, cached for each visit."""

import streamlit as st

from robustiqa_core.evaluation.tables.summary import Summary
from robustiqa_core.metrics.scale import Convention
from robustiqa_core.scorer import ScoreRange
from ui.compare.job import CompareOutcome
from ui.compare.summary import summary_of
from ui.shell import cache


@st.cache_resource(max_entries=16, show_spinner=False, scope="session")
def compare_summary(
    result: str, convention: Convention, baseline: str | None, fixed: ScoreRange | None, _outcome: CompareOutcome
) -> Summary:
    """Return the figures of a comparison under a convention; see `summary.summary_of`.

    Args:
        result: id of the comparison, which stands for `_outcome` in the cache's key.
        convention: of the scale.
        baseline: model that all others are compared with; None for that of each architecture.
        fixed: the nominal scale, for the convention `fixed`.
        _outcome: the comparison.
    """
    ranges = {stem: card.score_range for stem, card in cache.cards().items()}
    return summary_of(_outcome.rows, convention, baseline=baseline, ranges=ranges, fixed=fixed)
