"""The figures of a comparison under a convention, and as files. Knows nothing of Streamlit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from robustiqa_core.evaluation.tables.models import reference_of
from robustiqa_core.evaluation.tables.output import table_frame
from robustiqa_core.evaluation.tables.rows import Skipped, TableRow
from robustiqa_core.evaluation.tables.summary import RunSummary, Summary, is_noise, is_transfer, summarise_rows
from robustiqa_core.metrics.scale import Convention
from robustiqa_core.scorer import ScoreRange
from ui.compare.texts import FIGURES, attack_label, remark, value_of


def summary_of(
    rows: Sequence[TableRow],
    convention: Convention,
    *,
    baseline: str | None,
    ranges: Mapping[str, ScoreRange],
    fixed: ScoreRange | None,
) -> Summary:
    """Return the figures of rows; nothing is attacked.

    Args:
        rows: of the table.
        convention: of the scale.
        baseline: model that all others are compared with; None for that of each architecture.
        ranges: of the clean scores of all models that there are.
        fixed: the nominal scale, for the convention `fixed`.

    Raises:
        RobustIQAError: as `summarise`.
    """
    own = {row.stem: row.score_range for row in rows}
    models = {row.stem: row.report.model for row in rows}
    return summarise_rows(rows, reference_of(models, own, ranges, baseline=baseline, fixed=fixed), convention)


def summary_table(summary: Summary, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the figures of each attack on the model that scores its photos, as texts for people.

    Args:
        summary: the figures.
        names: what people call each model, by its stem.
    """
    return pd.DataFrame([_line(run, names) for run in summary.runs if not is_transfer(run.attack)])


def transfer_table(summary: Summary, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the figures of photos that were attacked on another model than the one that scores them; empty without.

    Noise is left out: it is the same for all models.
    """
    runs = [run for run in summary.runs if is_transfer(run.attack) and not is_noise(run.attack)]
    made_on = "Photos made on"
    return pd.DataFrame([{made_on: names[run.attack.partition(" from ")[2]], **_line(run, names)} for run in runs])


def comparison_table(summary: Summary, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the paired tests of models against their baselines as texts for people; empty where there are none."""
    return pd.DataFrame(
        [
            {
                "Model": names[found.model],
                "Baseline": names.get(found.baseline, found.baseline),
                "Attack": attack_label(found.attack),
                "Strength": _strength(found.strength),
                "Difference of the mean size of the change": _between(
                    found.test.mean_difference, found.test.interval, digits=3
                ),
                "p (Wilcoxon)": _probability(found.test.wilcoxon_p),
                "Effect (-1 = moves less on every photo)": f"{found.test.rank_biserial:+.2f}",
            }
            for found in summary.comparisons
        ]
    )


def rows_csv(rows: Sequence[TableRow]) -> bytes:
    """Return the rows as CSV, one line a row."""
    return table_frame(rows).to_csv(index=False).encode()


def rows_json(rows: Sequence[TableRow], skipped: Sequence[Skipped]) -> bytes:
    """Return the rows as JSON, as `robustiqa evaluate` writes them."""
    value = {"rows": [row.to_json() for row in rows], "skipped": [asdict(record) for record in skipped]}
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode()


def summary_csv(summary: Summary) -> bytes:
    """Return the figures of each run as CSV."""
    return pd.json_normalize([run.to_json() for run in summary.runs]).to_csv(index=False).encode()


def summary_json(summary: Summary, command: str) -> bytes:
    """Return all figures as JSON, with the command that prints them."""
    return json.dumps({**summary.to_json(), "command": command}, indent=2, ensure_ascii=False).encode()


def _line(run: RunSummary, names: Mapping[str, str]) -> dict[str, str]:
    values = {
        "Model": names[run.model],
        "Attack": attack_label(run.attack),
        "Strength": _strength(run.strength),
        "Photos": str(run.figures.images),
    }
    for name, text in FIGURES.items():
        value = value_of(run, name)
        interval = run.intervals.get(name)
        values[text.label] = (
            "–" if value is None else f"{value:z.3f}" if interval is None else _between(value, interval)
        )
    return {**values, "Note": remark(run)}


def _between(value: float, interval: tuple[float, float], digits: int = 2) -> str:
    r"""Return a figure with its interval.

    Example:
        >>> _between(-0.001, (-0.02, 0.01))
        '0.00 [-0.02,\xa00.01]'
    """
    low, high = interval
    # A line may end before the interval, not within it.
    return f"{value:z.{digits}f} [{low:z.{digits}f},\N{NO-BREAK SPACE}{high:z.{digits}f}]"


def _probability(value: float) -> str:
    """Return a p for people.

    Example:
        >>> _probability(0.03125), _probability(4.8e-07)
        ('0.031', 'below 0.001')
    """
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _strength(strength: float | None) -> str:
    return "–" if strength is None else f"{255 * strength:g}/255"
